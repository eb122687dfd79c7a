// The course of a whole rollout: its waves, what stops it, and its end.
#include <algorithm>
#include <utility>

#include "controller/rollout_parts.h"
#include "proto/result.h"
#include "proto/units.h"

namespace controller::rollout {
namespace {

void tell(std::vector<Action>& actions, const char* kind, std::string text) {
  actions.emplace_back(Tell{kind, std::move(text), false});
}

std::uint32_t less(std::uint32_t count, std::uint32_t accepted) {
  return count > accepted ? count - accepted : 0;
}

bool is_above_limit(const Rollout& rollout, std::uint32_t failed) {
  const auto limit = proto::parse_share(rollout.policy.max_failed()).value_or(proto::Share{});
  return proto::is_above(failed, limit, rollout.counts.devices());
}

const v1::RolloutWave* newest_wave(const Rollout& rollout) {
  if (rollout.waves.empty()) return nullptr;
  FLEET_ASSERT(rollout.wave >= 1 && rollout.wave <= rollout.waves.size());
  return &rollout.waves[rollout.wave - 1];
}

bool is_last_wave(const Rollout& rollout) { return rollout.wave >= rollout.waves.size(); }

// Nobody of the open waves waits or is under way.
bool has_come_to_rest(const v1::RolloutCounts& open) {
  return open.waiting() + open.busy() == 0;
}

std::string same_fault(const Rollout& rollout, const v1::RolloutCounts& open) {
  const std::uint32_t there = open.devices() - open.offline();
  const std::uint32_t enough = std::min(std::max(rollout.policy.min_finished(), 1u), there);
  for (const v1::RolloutFault& fault : rollout.faults) {
    const std::uint32_t devices = less(fault.devices(), fault.accepted());
    if (fault.cause() != v1::CAUSE_IMAGE || devices == 0 || devices < enough) continue;
    return "the image fails alike on " + people_number(fault.devices(), " device", " devices") +
           (fault.fingerprint().empty() ? "" : " (" + fault.fingerprint() + ")") + ": " +
           fault.text();
  }
  return "";
}

// Which of the three rules of rollout.h says so; "" for none.
std::string reason_to_stop(const Rollout& rollout) {
  if (!has_waves(rollout.kind)) return "";  // an order has reached everybody already
  const v1::RolloutCounts& counts = rollout.counts;
  const std::uint32_t finished = counts.healthy() + failed_of(counts);
  const std::uint32_t failed = less(failed_of(counts), rollout.accepted_failures);
  if (finished >= rollout.policy.min_finished() && is_above_limit(rollout, failed)) {
    return std::to_string(failed_of(counts)) + " of " +
           people_number(counts.devices(), " device", " devices") +
           " failed; max_failed is " + rollout.policy.max_failed();
  }
  const v1::RolloutCounts open = open_counts(rollout);
  std::string alike = same_fault(rollout, open);
  if (!alike.empty()) return alike;
  const v1::RolloutWave* wave = newest_wave(rollout);
  const bool ended_badly = wave != nullptr && !wave->accepted() && has_come_to_rest(open) &&
                           wave->counts().healthy() == 0 && failed_of(wave->counts()) > 0;
  if (!ended_badly || is_last_wave(rollout)) return "";
  return "wave " + std::to_string(rollout.wave) + " ended and nobody of it is healthy";
}

// There is somebody whom a pause holds back.
bool has_more_to_do(const Rollout& rollout) {
  const v1::RolloutCounts open = open_counts(rollout);
  return open.devices() < rollout.counts.devices() || open.waiting() > 0;
}

bool takes_back(const Rollout& rollout) {
  return rollout.policy.on_failure() == v1::REVERT && is_release(rollout.kind);
}

// Otherwise all have been told and what they did stays: the verdict says the rest.
bool has_something_to_stop(const Rollout& rollout) {
  const bool taken = rollout.counts.healthy() + rollout.counts.busy() > 0;
  return has_more_to_do(rollout) || (takes_back(rollout) && taken);
}

void halt(Rollout& rollout, std::string why, std::vector<Action>& actions) {
  rollout.halted_why = std::move(why);
  rollout.paused_by.clear();
  rollout.paused_why.clear();
  rollout.soak_until_ms = 0;
  const bool back = takes_back(rollout);
  rollout.state = back ? v1::ROLLOUT_REVERTING : v1::ROLLOUT_RUNNING;
  tell(actions, "rollout.halted", rollout.id() + " is stopped: " + rollout.halted_why +
       (back ? "; who took " + subject(rollout) + " goes back" : "; nobody else is let in"));
  actions.emplace_back(Halt{});
}

void end(Rollout& rollout, v1::RolloutState state, std::string verdict,
         std::vector<Action>& actions, std::int64_t now_ms) {
  rollout.state = state;
  rollout.verdict = std::move(verdict);
  rollout.ended_ms = now_ms;
  rollout.soak_until_ms = 0;
  rollout.paused_by.clear();
  rollout.paused_why.clear();
  actions.emplace_back(Ended{});
}

void judge(Rollout& rollout, std::vector<Action>& actions, std::int64_t now_ms) {
  const v1::RolloutCounts& counts = rollout.counts;
  const bool bad = !rollout.halted_why.empty() || is_above_limit(rollout, failed_of(counts)) ||
                   (counts.healthy() == 0 && failed_of(counts) > 0);
  if (bad) {
    end(rollout, v1::ROLLOUT_FAILED, failure_verdict(rollout), actions, now_ms);
  } else if (counts.superseded() > 0) {
    end(rollout, v1::ROLLOUT_SUPERSEDED,
        subject(rollout) + ": superseded on " +
            people_number(counts.superseded(), " device", " devices") + " by a newer one",
        actions, now_ms);
  } else {
    end(rollout, v1::ROLLOUT_SUCCEEDED, success_verdict(rollout), actions, now_ms);
  }
}

void open_next(Rollout& rollout, std::vector<Action>& actions, std::int64_t now_ms) {
  ++rollout.wave;
  rollout.soak_until_ms = 0;
  v1::RolloutWave& wave = rollout.waves[rollout.wave - 1];
  wave.set_opened_ms(static_cast<std::uint64_t>(now_ms));
  tell(actions, "rollout.wave_opened",
       rollout.id() + ": wave " + std::to_string(rollout.wave) + " of " +
           std::to_string(rollout.waves.size()) + " is open, " +
           people_number(wave.counts().devices(), " device", " devices"));
}

// The newest wave is at rest, and it is not the last.
void after_wave(Rollout& rollout, std::vector<Action>& actions, std::int64_t now_ms) {
  v1::RolloutWave& wave = rollout.waves[rollout.wave - 1];
  const bool somebody = wave.counts().devices() > wave.counts().offline();
  if (!somebody) {
    // Without the opinion of anybody of it the next one waits as long as it would for a device.
    if (now_ms < static_cast<std::int64_t>(wave.opened_ms()) + rollout.device_deadline_ms) return;
  } else if (wave.ended_ms() == 0) {
    wave.set_ended_ms(static_cast<std::uint64_t>(now_ms));
    const auto soak_ms = static_cast<std::int64_t>(rollout.policy.soak_ms());
    rollout.soak_until_ms = now_ms + soak_ms;
    tell(actions, "rollout.wave_ended",
         rollout.id() + ": wave " + std::to_string(rollout.wave) + " has ended" +
             (soak_ms > 0 ? ", the next one opens in " +
                                proto::format_duration_ms(rollout.policy.soak_ms())
                          : ""));
  }
  if (now_ms < rollout.soak_until_ms || rollout.state != v1::ROLLOUT_RUNNING) return;
  open_next(rollout, actions, now_ms);
}

// A person goes on in spite of what failed until now.
void accept_failures(Rollout& rollout) {
  rollout.accepted_failures = failed_of(rollout.counts);
  for (v1::RolloutFault& fault : rollout.faults) fault.set_accepted(fault.devices());
  for (v1::RolloutWave& wave : rollout.waves) {
    const bool bad = wave.opened_ms() != 0 && wave.counts().healthy() == 0;
    if (bad && failed_of(wave.counts()) > 0) wave.set_accepted(true);
  }
}

}  // namespace

void clamp_accepted(Rollout& rollout) {
  rollout.accepted_failures = std::min(rollout.accepted_failures, failed_of(rollout.counts));
  for (v1::RolloutFault& fault : rollout.faults) {
    fault.set_accepted(std::min(fault.accepted(), fault.devices()));
  }
  for (v1::RolloutWave& wave : rollout.waves) {
    if (failed_of(wave.counts()) == 0) wave.set_accepted(false);
  }
}

void advance(Rollout& rollout, std::vector<Action>& actions, std::int64_t now_ms) {
  if (!is_under_way(rollout.state)) return;
  if (!rollout.halted_why.empty()) {
    if (rollout.counts.busy() == 0) judge(rollout, actions, now_ms);
    return;
  }
  if (std::string why = reason_to_stop(rollout); !why.empty()) {
    const bool pauses = rollout.policy.on_failure() == v1::PAUSE;
    if (!pauses && has_something_to_stop(rollout)) return halt(rollout, std::move(why), actions);
    if (pauses && has_more_to_do(rollout)) {
      if (rollout.state == v1::ROLLOUT_PAUSED) return;
      rollout.state = v1::ROLLOUT_PAUSED;
      rollout.paused_why = std::move(why);
      return tell(actions, "rollout.paused",
                  rollout.id() + " is paused by itself: " + rollout.paused_why);
    }
  }
  if (!has_come_to_rest(open_counts(rollout))) return;
  if (!is_last_wave(rollout)) return after_wave(rollout, actions, now_ms);
  if (rollout.counts.devices() == rollout.counts.offline()) return;  // tick() bounds it
  judge(rollout, actions, now_ms);
}

Course settle(Rollout rollout, std::int64_t now_ms) {
  Course course{std::move(rollout), {}};
  advance(course.rollout, course.actions, now_ms);
  return course;
}

Course leave(Rollout rollout, const Device& device, std::int64_t now_ms) {
  FLEET_ASSERT(!device.row.let_in() && !device.ended);
  Course course{std::move(rollout), {}};
  Rollout& value = course.rollout;
  uncount(value, device.row);
  value.counts.set_devices(value.counts.devices() - 1);
  const std::size_t wave = std::max<std::size_t>(device.row.wave(), 1);
  if (wave <= value.waves.size()) {
    v1::RolloutCounts* counts = value.waves[wave - 1].mutable_counts();
    counts->set_devices(counts->devices() - 1);
  }
  advance(value, course.actions, now_ms);
  return course;
}

Course tick(Rollout rollout, std::int64_t now_ms) {
  const bool nobody = rollout.counts.offline() == rollout.counts.devices();
  const bool late = now_ms >= rollout.created_ms + rollout.device_deadline_ms;
  if (rollout.state != v1::ROLLOUT_RUNNING || !nobody || !late) {
    return settle(std::move(rollout), now_ms);
  }
  Course course{std::move(rollout), {}};
  Rollout& value = course.rollout;
  end(value, v1::ROLLOUT_FAILED,
      subject(value) + ": none of " +
          people_number(value.counts.devices(), " device", " devices") + " was online within " +
          std::to_string(value.device_deadline_ms / 1000) + " s; push again when they are",
      course.actions, now_ms);
  return course;
}

bool lets_in(const Rollout& rollout) {
  if (!rollout.halted_why.empty()) return false;
  return rollout.state == v1::ROLLOUT_RUNNING || rollout.state == v1::ROLLOUT_SUCCEEDED ||
         rollout.state == v1::ROLLOUT_SUPERSEDED;
}

bool may_let_in(const Rollout& rollout, const Device& device) {
  const v1::RolloutDevice& row = device.row;
  const bool waits = row.state() == v1::WAITING && row.online() && !row.let_in();
  if (!waits || row.going_back_to() != 0 || !lets_in(rollout)) return false;
  return rollout.state != v1::ROLLOUT_RUNNING || row.wave() <= rollout.wave;
}

Course pause(Rollout rollout, const std::string& by, std::int64_t) {
  Course course{std::move(rollout), {}};
  Rollout& value = course.rollout;
  if (value.state != v1::ROLLOUT_RUNNING || !value.halted_why.empty()) return course;
  value.state = v1::ROLLOUT_PAUSED;
  value.paused_by = by;
  value.paused_why = "paused by " + by;
  tell(course.actions, "rollout.paused", by + " paused " + value.id());
  return course;
}

Course resume(Rollout rollout, const std::string& by, std::int64_t now_ms) {
  Course course{std::move(rollout), {}};
  Rollout& value = course.rollout;
  if (value.state != v1::ROLLOUT_PAUSED) return course;
  value.state = v1::ROLLOUT_RUNNING;
  value.paused_by.clear();
  value.paused_why.clear();
  accept_failures(value);
  tell(course.actions, "rollout.resumed", by + " resumed " + value.id());
  advance(value, course.actions, now_ms);
  return course;
}

Course reopen(Rollout rollout, const std::string& by, std::int64_t) {
  Course course{std::move(rollout), {}};
  Rollout& value = course.rollout;
  tell(course.actions, "rollout.retried", by + " retries what failed of " + value.id());
  if (value.state != v1::ROLLOUT_FAILED) return course;
  value.state = v1::ROLLOUT_RUNNING;
  value.ended_ms = 0;
  value.verdict.clear();
  value.halted_why.clear();
  value.first_failure.clear();
  accept_failures(value);
  return course;
}

Rollout abort(Rollout rollout, const std::string& by, std::int64_t now_ms) {
  if (!is_under_way(rollout.state)) return rollout;
  rollout.state = v1::ROLLOUT_ABORTED;
  rollout.ended_ms = now_ms;
  rollout.soak_until_ms = 0;
  rollout.paused_by.clear();
  rollout.paused_why.clear();
  rollout.verdict = subject(rollout) + ": called off by " + by + " with " +
                    std::to_string(rollout.counts.healthy()) + " of " +
                    people_number(rollout.counts.devices(), " device", " devices") + " done";
  return rollout;
}

}  // namespace controller::rollout
