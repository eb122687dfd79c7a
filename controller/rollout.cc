#include "controller/rollout.h"

#include <utility>

#include "proto/result.h"

namespace controller::rollout {
namespace {

// The bucket of RolloutCounts that a row is counted in. Each row is in exactly one.
void add(v1::RolloutCounts& counts, v1::RolloutKind kind, const v1::RolloutDevice& row,
         std::uint32_t one) {
  const v1::DeviceState state = row.state();
  if (is_success(kind, state)) {
    counts.set_healthy(counts.healthy() + one);
    return;
  }
  switch (state) {
    case v1::WAITING:
      if (row.online()) {
        counts.set_waiting(counts.waiting() + one);
      } else {
        counts.set_offline(counts.offline() + one);
      }
      break;
    case v1::REVERTED:
      counts.set_reverted(counts.reverted() + one);
      break;
    case v1::FAILED:
      counts.set_failed(counts.failed() + one);
      break;
    case v1::HELD:
      counts.set_held(counts.held() + one);
      break;
    case v1::SUPERSEDED:
      counts.set_superseded(counts.superseded() + one);
      break;
    default:
      // An end that this kind of rollout did not want: stopped, when it should be healthy.
      if (has_ended(state)) {
        counts.set_failed(counts.failed() + one);
      } else {
        counts.set_busy(counts.busy() + one);
      }
      break;
  }
}

void count(Rollout& rollout, const v1::RolloutDevice& row) {
  add(rollout.counts, rollout.kind, row, 1);
}

void uncount(Rollout& rollout, const v1::RolloutDevice& row) {
  add(rollout.counts, rollout.kind, row, ~std::uint32_t{0});  // modulo 2^32: minus one
}

std::string people_number(std::uint64_t number, const char* one, const char* many) {
  return std::to_string(number) + (number == 1 ? one : many);
}

const char* past_word(v1::RolloutKind kind) {
  switch (kind) {
    case v1::KIND_STOP: return "stopped";
    case v1::KIND_START: return "started";
    case v1::KIND_RESTART: return "restarted";
    case v1::KIND_DELETE: return "deleted";
    case v1::KIND_REVERT: return "reverted";
    default: return "live";
  }
}

std::string subject(const Rollout& rollout) {
  if (!is_release(rollout.kind)) return rollout.app;
  return rollout.app + " " + std::to_string(rollout.release);
}

std::string success_verdict(const Rollout& rollout) {
  const v1::RolloutCounts& counts = rollout.counts;
  const std::uint32_t reached = counts.devices() - counts.offline();
  std::string text = subject(rollout) + " is " + past_word(rollout.kind) + " on " +
                     std::to_string(counts.healthy()) + " of ";
  if (counts.offline() == 0) {
    return text + people_number(reached, " device", " devices");
  }
  text += people_number(reached, " reachable device", " reachable devices");
  return text + "; " + std::to_string(counts.offline()) + " offline";
}

std::string failure_verdict(const Rollout& rollout) {
  const v1::RolloutCounts& counts = rollout.counts;
  std::string text = subject(rollout) + ": " + std::to_string(counts.healthy()) + " " +
                     (is_release(rollout.kind) ? "healthy" : past_word(rollout.kind));
  if (counts.reverted() > 0) text += ", " + std::to_string(counts.reverted()) + " reverted";
  if (counts.failed() > 0) text += ", " + std::to_string(counts.failed()) + " failed";
  if (counts.held() > 0) text += ", " + std::to_string(counts.held()) + " held";
  if (counts.superseded() > 0) text += ", " + std::to_string(counts.superseded()) + " superseded";
  if (counts.offline() > 0) text += ", " + std::to_string(counts.offline()) + " offline";
  if (!rollout.first_failure.empty()) text += "; first: " + rollout.first_failure;
  return text;
}

// Strategy `all`: one device that is not as wanted fails the rollout.
void judge(Rollout& rollout, std::int64_t now_ms) {
  const v1::RolloutCounts& counts = rollout.counts;
  rollout.ended_ms = now_ms;
  if (counts.reverted() + counts.failed() + counts.held() > 0) {
    rollout.state = v1::ROLLOUT_FAILED;
    rollout.verdict = failure_verdict(rollout);
  } else if (counts.superseded() > 0) {
    rollout.state = v1::ROLLOUT_SUPERSEDED;
    rollout.verdict = subject(rollout) + ": superseded on " +
                      people_number(counts.superseded(), " device", " devices") + " by a newer one";
  } else {
    rollout.state = v1::ROLLOUT_SUCCEEDED;
    rollout.verdict = success_verdict(rollout);
  }
}

// Ends the rollout when every device that was ever online has ended.
void end_if_done(Step& result, std::int64_t now_ms) {
  Rollout& rollout = result.rollout;
  if (rollout.state != v1::ROLLOUT_RUNNING) return;
  const v1::RolloutCounts& counts = rollout.counts;
  if (counts.waiting() > 0 || counts.busy() > 0) return;
  if (counts.devices() == counts.offline()) return;  // nobody was reached yet: tick() bounds it
  judge(rollout, now_ms);
  result.actions.emplace_back(Ended{});
}

std::string sentence(const Device& device) {
  std::string text = device.row.device() + " " + word(device.row.state());
  const std::string& why = device.row.why().text();
  const std::string& detail = device.row.detail();
  if (!why.empty()) {
    text += ": " + why;
  } else if (!detail.empty()) {
    text += ": " + detail;
  }
  return text;
}

// A device that waits for a window is not late.
bool is_gated(const v1::RolloutDevice& row) {
  return row.state() != v1::TRIAL && (row.hold_fetch() || row.hold_arm());
}

// Moves the row into a state, once its texts are in place.
void move(Step& result, v1::DeviceState state, std::int64_t now_ms) {
  Device& device = result.device;
  device.row.set_state(state);
  if (has_ended(state)) {
    device.deadline_ms = 0;
    device.row.set_ended_ms(static_cast<std::uint64_t>(now_ms));
    const bool good = is_success(result.rollout.kind, state);
    if (!good && state != v1::SUPERSEDED && result.rollout.first_failure.empty()) {
      result.rollout.first_failure = sentence(device);
    }
  } else if (state == v1::WAITING) {
    device.deadline_ms = 0;
  } else {
    device.deadline_ms =
        is_gated(device.row) ? 0 : now_ms + result.rollout.device_deadline_ms;
    device.row.clear_ended_ms();
  }
}

void tell(Step& result) {
  result.actions.emplace_back(Tell{"device.reported", sentence(result.device)});
}

void on_joined(Step& result) {
  result.rollout.counts.set_devices(result.rollout.counts.devices() + 1);
  if (result.device.row.online()) result.actions.emplace_back(Offer{});
}

// Who was offline joins a rollout that goes on or went well; after a failed one nobody does.
bool is_open(const Rollout& rollout) {
  return rollout.state == v1::ROLLOUT_RUNNING || rollout.state == v1::ROLLOUT_SUCCEEDED;
}

void on_offered(Step& result, std::int64_t now_ms) {
  if (result.device.row.state() != v1::WAITING || !is_open(result.rollout)) return;
  if (result.device.row.hold_fetch()) return;  // it was told to wait
  result.device.row.set_online(true);
  result.device.row.set_started_ms(static_cast<std::uint64_t>(now_ms));
  move(result, v1::OFFERED, now_ms);
  tell(result);
}

void on_online(Step& result, bool online) {
  if (result.device.row.online() == online) return;
  result.device.row.set_online(online);
  if (online && is_open(result.rollout) && result.device.row.state() == v1::WAITING) {
    result.actions.emplace_back(Offer{});
  }
}

// Copies what a report says into the row; true if the state is a new one.
bool take_facts(Device& device, const v1::Report& report) {
  v1::RolloutDevice& row = device.row;
  row.set_live_release(report.status().live_release());
  if (!report.status().instance().monitor().empty()) {
    row.set_monitor(report.status().instance().monitor());
  }
  if (report.status().ports_size() > 0) *row.mutable_ports() = report.status().ports();
  if (!report.detail().empty()) row.set_detail(report.detail());
  if (report.steps_size() > 0) *row.mutable_steps() = report.steps();
  if (report.fetched_bytes() > 0) row.set_fetched_bytes(report.fetched_bytes());
  const bool is_new = row.state() != report.state();
  if (report.has_why()) {
    *row.mutable_why() = report.why();
  } else if (is_new) {
    row.clear_why();
  }
  return is_new;
}

// A device may not say that it is what only the controller says, and a pushed release counts only
// as itself.
bool is_believable(const Rollout& rollout, const v1::Report& report) {
  switch (report.state()) {
    case v1::FETCHING:
    case v1::STAGED:
    case v1::TRIAL:
    case v1::REVERTED:
    case v1::FAILED:
    case v1::HELD:
    case v1::STOPPED:
    case v1::REMOVED:
    case v1::SUPERSEDED:
      return true;
    case v1::HEALTHY:
      return rollout.kind != v1::KIND_PUSH || report.release() == rollout.release;
    default:
      return false;
  }
}

void on_reported(Step& result, const v1::Report& report, std::int64_t now_ms) {
  if (report.attempt() != result.device.attempt) return;
  if (result.device.row.state() == v1::SUPERSEDED) return;
  if (!is_believable(result.rollout, report)) return;
  // A device that has ended moves only to another end: a late word of its way there is old news,
  // a revert during the watch is not.
  if (has_ended(result.device.row.state()) && !has_ended(report.state())) return;
  const v1::DeviceState state = report.state();
  if (take_facts(result.device, report)) {
    if (result.device.row.started_ms() == 0) {
      result.device.row.set_started_ms(static_cast<std::uint64_t>(now_ms));
    }
    move(result, state, now_ms);
    tell(result);
  }
  const bool good = is_success(result.rollout.kind, state);
  if (has_ended(state) && !good && state != v1::SUPERSEDED) {
    // Without this the device would be offered the same release at its next Hello. Also when the
    // row failed by its deadline before: that left the wish to the device's own word.
    result.actions.emplace_back(KeepRunning{report.status().live_release()});
  }
}

void on_deadline(Step& result, std::int64_t now_ms) {
  Device& device = result.device;
  if (device.deadline_ms == 0 || now_ms < device.deadline_ms) return;
  const char* last = word(device.row.state());
  v1::Reason* why = device.row.mutable_why();
  why->set_code(v1::CODE_TIMEOUT);
  why->set_text(std::string(device.row.online() ? "no verdict" : "offline without a verdict") +
                " within " + std::to_string(result.rollout.device_deadline_ms / 1000) +
                " s; last heard: " + last);
  // Its Desired stays: the device may still be at work, and its own report will say how it ended.
  move(result, v1::FAILED, now_ms);
  tell(result);
}

// Its Desired says the same; a state that it has reached stays.
void on_gated(Step& result, const Gated& gate, std::int64_t now_ms) {
  v1::RolloutDevice& row = result.device.row;
  if (has_ended(row.state())) return;
  const bool same = row.hold_fetch() == gate.hold_fetch && row.hold_arm() == gate.hold_arm;
  if (same) return;
  row.set_hold_fetch(gate.hold_fetch);
  row.set_hold_arm(gate.hold_arm);
  row.set_detail(gate.text);
  move(result, row.state(), now_ms);
  if (row.online() && is_open(result.rollout)) result.actions.emplace_back(Offer{});
  tell(result);
}

void on_superseded(Step& result, const std::string& by, std::int64_t now_ms) {
  if (has_ended(result.device.row.state())) return;
  result.device.row.set_detail("superseded by " + by);
  move(result, v1::SUPERSEDED, now_ms);
  tell(result);
}

void on_aborted(Step& result, const std::string& by, std::int64_t now_ms) {
  if (has_ended(result.device.row.state())) return;
  result.device.row.set_detail("called off by " + by);
  result.actions.emplace_back(TakeBack{});
  move(result, v1::SUPERSEDED, now_ms);
  tell(result);
}

struct Visitor {
  Step& result;
  std::int64_t now_ms;

  void operator()(const Joined&) const { on_joined(result); }
  void operator()(const Offered&) const { on_offered(result, now_ms); }
  void operator()(const Online&) const { on_online(result, true); }
  void operator()(const Offline&) const { on_online(result, false); }
  void operator()(const Reported& event) const { on_reported(result, event.report, now_ms); }
  void operator()(const DeadlinePassed&) const { on_deadline(result, now_ms); }
  void operator()(const Gated& event) const { on_gated(result, event, now_ms); }
  void operator()(const Superseded& event) const { on_superseded(result, event.by, now_ms); }
  void operator()(const Aborted& event) const { on_aborted(result, event.by, now_ms); }
};

}  // namespace

Step step(Rollout rollout, Device device, const Event& event, std::int64_t now_ms) {
  FLEET_ASSERT(!device.id.empty());
  Step result{std::move(rollout), std::move(device), {}};
  if (!std::holds_alternative<Joined>(event)) uncount(result.rollout, result.device.row);
  std::visit(Visitor{result, now_ms}, event);
  count(result.rollout, result.device.row);
  const v1::RolloutCounts& counts = result.rollout.counts;
  FLEET_ASSERT(counts.waiting() + counts.busy() + counts.healthy() + counts.reverted() +
                   counts.failed() + counts.offline() + counts.held() + counts.superseded() ==
               counts.devices());
  if (!std::holds_alternative<Joined>(event)) end_if_done(result, now_ms);
  return result;
}

TickStep tick(Rollout rollout, std::int64_t now_ms) {
  TickStep result{std::move(rollout), false};
  Rollout& value = result.rollout;
  if (value.state != v1::ROLLOUT_RUNNING) return result;
  if (value.counts.offline() != value.counts.devices()) return result;
  if (now_ms < value.created_ms + value.device_deadline_ms) return result;
  value.state = v1::ROLLOUT_FAILED;
  value.ended_ms = now_ms;
  value.verdict = subject(value) + ": none of " +
                  people_number(value.counts.devices(), " device", " devices") +
                  " was online within " + std::to_string(value.device_deadline_ms / 1000) +
                  " s; push again when they are";
  result.ended = true;
  return result;
}

Rollout abort(Rollout rollout, const std::string& by, std::int64_t now_ms) {
  if (rollout.state != v1::ROLLOUT_RUNNING) return rollout;
  rollout.state = v1::ROLLOUT_ABORTED;
  rollout.ended_ms = now_ms;
  rollout.verdict = subject(rollout) + ": called off by " + by + " with " +
                    std::to_string(rollout.counts.healthy()) + " of " +
                    people_number(rollout.counts.devices(), " device", " devices") + " done";
  return rollout;
}

bool is_release(v1::RolloutKind kind) {
  return kind == v1::KIND_PUSH || kind == v1::KIND_ROLLBACK;
}

bool has_ended(v1::DeviceState state) {
  switch (state) {
    case v1::HEALTHY:
    case v1::REVERTED:
    case v1::FAILED:
    case v1::SUPERSEDED:
    case v1::HELD:
    case v1::STOPPED:
    case v1::REMOVED:
      return true;
    default:
      return false;
  }
}

bool is_success(v1::RolloutKind kind, v1::DeviceState state) {
  switch (kind) {
    case v1::KIND_STOP: return state == v1::STOPPED;
    case v1::KIND_DELETE: return state == v1::REMOVED;
    // "reverted" is what the order asked for; the slot that it went back to is healthy again.
    case v1::KIND_REVERT: return state == v1::HEALTHY || state == v1::REVERTED;
    default: return state == v1::HEALTHY;
  }
}

const char* word(v1::DeviceState state) {
  switch (state) {
    case v1::WAITING: return "waiting";
    case v1::OFFERED: return "offered";
    case v1::FETCHING: return "fetching";
    case v1::STAGED: return "staged";
    case v1::TRIAL: return "trial";
    case v1::HEALTHY: return "healthy";
    case v1::REVERTED: return "reverted";
    case v1::FAILED: return "failed";
    case v1::SUPERSEDED: return "superseded";
    case v1::HELD: return "held";
    case v1::STOPPED: return "stopped";
    case v1::REMOVED: return "removed";
    default: return "unknown";
  }
}

const char* word(v1::RolloutState state) {
  switch (state) {
    case v1::ROLLOUT_RUNNING: return "running";
    case v1::ROLLOUT_SUCCEEDED: return "succeeded";
    case v1::ROLLOUT_FAILED: return "failed";
    case v1::ROLLOUT_ABORTED: return "aborted";
    case v1::ROLLOUT_SUPERSEDED: return "superseded";
    default: return "unknown";
  }
}

const char* word(v1::RolloutKind kind) {
  switch (kind) {
    case v1::KIND_REVERT: return "revert";
    case v1::KIND_STOP: return "stop";
    case v1::KIND_START: return "start";
    case v1::KIND_RESTART: return "restart";
    case v1::KIND_DELETE: return "delete";
    case v1::KIND_ROLLBACK: return "rollback";
    default: return "push";
  }
}

v1::Rollout to_api(const Rollout& rollout) {
  v1::Rollout out;
  out.set_id(rollout.id());
  out.set_kind(rollout.kind);
  out.set_app(rollout.app);
  out.set_release(rollout.release);
  out.set_previous_release(rollout.previous_release);
  out.set_selector(rollout.selector);
  out.set_by(rollout.by);
  out.set_state(rollout.state);
  out.set_created_ms(static_cast<std::uint64_t>(rollout.created_ms));
  out.set_ended_ms(static_cast<std::uint64_t>(rollout.ended_ms));
  *out.mutable_counts() = rollout.counts;
  out.set_verdict(rollout.verdict);
  out.set_strategy(rollout.strategy);
  out.set_require_all(rollout.require_all);
  return out;
}

}  // namespace controller::rollout
