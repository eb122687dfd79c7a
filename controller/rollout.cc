// The events of one device of a rollout.
#include "controller/rollout.h"

#include <utility>

#include "controller/rollout_parts.h"
#include "proto/result.h"

namespace controller::rollout {
namespace {

// A device that waits for a window is not late, as long as it is there.
bool is_gated(const v1::RolloutDevice& row) {
  return row.online() && row.state() != v1::TRIAL && (row.hold_fetch() || row.hold_arm());
}

// Moves the row into a state, once its texts are in place.
void move(Step& result, v1::DeviceState state, std::int64_t now_ms) {
  Device& device = result.device;
  device.row.set_state(state);
  device.ended = has_ended(result.rollout.kind, state);
  if (device.ended) {
    device.deadline_ms = 0;
    device.row.set_ended_ms(static_cast<std::uint64_t>(now_ms));
    if (is_failure(result.rollout.kind, state) && device.row.going_back_to() == 0 &&
        result.rollout.first_failure.empty()) {
      result.rollout.first_failure = sentence(device);
    }
  } else if (state == v1::WAITING) {
    device.deadline_ms = 0;
    device.row.clear_ended_ms();
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
  Rollout& rollout = result.rollout;
  v1::RolloutDevice& row = result.device.row;
  if (row.wave() == 0) row.set_wave(1);
  FLEET_ASSERT(rollout.waves.empty() || row.wave() <= rollout.waves.size());
  rollout.counts.set_devices(rollout.counts.devices() + 1);
  if (rollout.waves.empty()) return;
  v1::RolloutCounts* counts = rollout.waves[row.wave() - 1].mutable_counts();
  counts->set_devices(counts->devices() + 1);
}

void on_let_in(Step& result, const LetIn& event) {
  Device& device = result.device;
  if (device.row.state() != v1::WAITING || device.row.let_in()) return;
  device.row.set_let_in(true);
  device.row.clear_detail();
  device.attempt = event.attempt;
  device.before = event.before;
  result.actions.emplace_back(Want{});
}

// Who was offline joins a rollout that goes on or went well; after a failed one nobody does, but
// who is to go back is told.
bool is_told(const Rollout& rollout, const v1::RolloutDevice& row) {
  if (!row.let_in()) return false;
  return is_under_way(rollout.state) || rollout.state == v1::ROLLOUT_SUCCEEDED ||
         rollout.state == v1::ROLLOUT_SUPERSEDED || row.going_back_to() != 0;
}

void on_offered(Step& result, std::int64_t now_ms) {
  v1::RolloutDevice& row = result.device.row;
  if (row.state() != v1::WAITING || !is_told(result.rollout, row)) return;
  if (row.hold_fetch()) return;  // it was told to wait
  row.set_online(true);
  row.set_started_ms(static_cast<std::uint64_t>(now_ms));
  move(result, v1::OFFERED, now_ms);
  tell(result);
}

// It is not told any more; what it wanted before is wanted again.
void let_out(Step& result, std::int64_t now_ms) {
  v1::RolloutDevice& row = result.device.row;
  result.actions.emplace_back(TakeBack{result.device.attempt});
  row.set_let_in(false);
  row.set_hold_fetch(false);
  row.set_hold_arm(false);
  row.clear_started_ms();
  move(result, v1::WAITING, now_ms);
}

void on_online(Step& result, bool online, std::int64_t now_ms) {
  Device& device = result.device;
  v1::RolloutDevice& row = device.row;
  if (row.online() == online || device.ended) {
    row.set_online(online);
    return;
  }
  row.set_online(online);
  if (row.state() != v1::WAITING) {
    // Its window is no reason to wait for who is not there.
    if (row.hold_fetch() || row.hold_arm()) move(result, row.state(), now_ms);
    return;
  }
  const bool gated = has_waves(result.rollout.kind) && row.going_back_to() == 0;
  if (!online && gated && row.let_in()) return let_out(result, now_ms);
  if (online && is_told(result.rollout, row)) result.actions.emplace_back(Offer{});
}

// Copies what a report says into the row; true if the state is a new one.
bool take_facts(Device& device, const v1::Report& report, v1::DeviceState state) {
  v1::RolloutDevice& row = device.row;
  row.set_live_release(report.status().live_release());
  if (!report.status().instance().monitor().empty()) {
    row.set_monitor(report.status().instance().monitor());
  }
  if (report.status().ports_size() > 0) *row.mutable_ports() = report.status().ports();
  if (!report.detail().empty()) row.set_detail(report.detail());
  if (report.steps_size() > 0) *row.mutable_steps() = report.steps();
  if (report.fetched_bytes() > 0) row.set_fetched_bytes(report.fetched_bytes());
  const bool is_new = row.state() != state;
  if (report.has_why()) {
    *row.mutable_why() = report.why();
  } else if (is_new) {
    row.clear_why();
  }
  return is_new;
}

// A device may not say that it is what only the controller says, and a pushed release counts only
// as itself, the one that it goes back to only as that one.
bool is_believable(const Step& result, const v1::Report& report) {
  const std::uint64_t back = result.device.row.going_back_to();
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
      if (back != 0) return report.release() == back;
      return result.rollout.kind != v1::KIND_PUSH || report.release() == result.rollout.release;
    default:
      return false;
  }
}

void on_reported(Step& result, const v1::Report& report, std::int64_t now_ms) {
  v1::RolloutDevice& row = result.device.row;
  if (report.attempt() != result.device.attempt) return;
  if (row.state() == v1::SUPERSEDED || !is_believable(result, report)) return;
  if (!row.let_in()) {
    // It was taken back while it was offline; what it did there all the same is told.
    if (report.state() != v1::HEALTHY) return;
    row.set_let_in(true);
  }
  const v1::RolloutKind kind = result.rollout.kind;
  const bool back = row.going_back_to() != 0;
  // It went back: healthy is what it is with the release of before.
  const v1::DeviceState state =
      back && report.state() == v1::HEALTHY ? v1::REVERTED : report.state();
  // A device that has ended moves only to another end: a late word of its way there is old news,
  // a revert during the watch is not.
  if (has_ended(kind, row.state()) && !has_ended(kind, state)) return;
  if (take_facts(result.device, report, state)) {
    if (row.started_ms() == 0) row.set_started_ms(static_cast<std::uint64_t>(now_ms));
    move(result, state, now_ms);
    tell(result);
  }
  if (is_failure(kind, state)) {
    // Without this the device would be offered the same release at its next Hello. Also when the
    // row failed by its deadline before: that left the wish to the device's own word.
    result.actions.emplace_back(KeepRunning{report.status().live_release()});
  }
}

void on_deadline(Step& result, std::int64_t now_ms) {
  Device& device = result.device;
  v1::RolloutDevice& row = device.row;
  if (device.deadline_ms == 0 || now_ms < device.deadline_ms) return;
  if (!row.online() && row.state() != v1::TRIAL) {
    // Offline is not failed: it passes the gates again on its return, or goes back then.
    row.set_detail("went offline on the way");
    if (row.going_back_to() != 0 || !has_waves(result.rollout.kind)) {
      move(result, v1::WAITING, now_ms);
    } else {
      let_out(result, now_ms);
    }
    return tell(result);
  }
  const char* last = word(row.state());
  v1::Reason* why = row.mutable_why();
  why->set_code(row.online() ? v1::CODE_TIMEOUT : v1::CODE_UNREACHABLE);
  why->set_fingerprint("");
  why->set_text(std::string(row.online() ? "no verdict" : "went offline during its trial, silent") +
                (row.online() ? " within " : " for ") +
                std::to_string(result.rollout.device_deadline_ms / 1000) +
                " s; last heard: " + last);
  // Its Desired stays: the device may still be at work, and its own report will say how it ended.
  move(result, v1::FAILED, now_ms);
  tell(result);
}

// Its Desired says the same; a state that it has reached stays.
void on_gated(Step& result, const Gated& gate, std::int64_t now_ms) {
  v1::RolloutDevice& row = result.device.row;
  if (result.device.ended || !row.let_in() || row.going_back_to() != 0) return;
  const bool same = row.hold_fetch() == gate.hold_fetch && row.hold_arm() == gate.hold_arm;
  if (same) return;
  row.set_hold_fetch(gate.hold_fetch);
  row.set_hold_arm(gate.hold_arm);
  row.set_detail(gate.text);
  move(result, row.state(), now_ms);
  if (row.online() && is_told(result.rollout, row)) result.actions.emplace_back(Offer{});
  tell(result);
}

void on_superseded(Step& result, const std::string& by, std::int64_t now_ms) {
  if (result.device.ended) return;
  result.device.row.set_detail("superseded by " + by);
  move(result, v1::SUPERSEDED, now_ms);
  tell(result);
}

void on_aborted(Step& result, const std::string& by, std::int64_t now_ms) {
  Device& device = result.device;
  if (device.ended) return;
  device.row.set_detail("called off by " + by);
  if (device.row.let_in()) result.actions.emplace_back(TakeBack{device.attempt});
  move(result, v1::SUPERSEDED, now_ms);
  tell(result);
}

void go_back(Step& result, const Halted& event, std::int64_t now_ms) {
  Device& device = result.device;
  device.attempt = event.attempt;
  device.row.set_going_back_to(event.to);
  device.row.set_hold_fetch(false);
  device.row.set_hold_arm(false);
  device.row.clear_why();
  device.row.set_detail("going back to " + result.rollout.app + " " + std::to_string(event.to));
  result.actions.emplace_back(GoBack{event.to});
  move(result, device.row.online() ? v1::OFFERED : v1::WAITING, now_ms);
  tell(result);
}

// It failed by its deadline and may still be at work: it must not take what all others leave. The
// rollout does not wait for it.
void go_back_late(Step& result, const Halted& event) {
  Device& device = result.device;
  device.attempt = event.attempt;
  device.row.set_going_back_to(event.to);
  result.actions.emplace_back(GoBack{event.to});
}

void on_halted(Step& result, const Halted& event, std::int64_t now_ms) {
  Device& device = result.device;
  v1::RolloutDevice& row = device.row;
  if (!row.let_in() || row.going_back_to() != 0) return;
  if (row.state() == v1::WAITING) return let_out(result, now_ms);
  const bool back = result.rollout.policy.on_failure() == v1::REVERT &&
                    is_release(result.rollout.kind);
  if (!back) return;
  if (!device.ended) {
    // Without anything to go back to it is left to its own verdict.
    if (event.to != 0) go_back(result, event, now_ms);
    return;
  }
  const bool is_late = row.state() == v1::FAILED && event.wish_stands;
  if (is_late && event.to != 0) return go_back_late(result, event);
  if (row.state() != v1::HEALTHY) return;
  if (event.to != 0) return go_back(result, event, now_ms);
  row.mutable_why()->set_code(v1::CODE_NO_FALLBACK);
  row.mutable_why()->set_text("runs " + subject(result.rollout) +
                              ", and nothing is known there to go back to");
  move(result, v1::HELD, now_ms);
  tell(result);
}

void on_retried(Step& result, std::int64_t now_ms) {
  Device& device = result.device;
  v1::RolloutDevice& row = device.row;
  if (!is_failure(result.rollout.kind, row.state()) || row.going_back_to() != 0) return;
  // One that failed by its deadline still has the wish.
  result.actions.emplace_back(TakeBack{device.attempt});
  row.set_let_in(false);
  row.set_retries(row.retries() + 1);
  row.clear_why();
  row.clear_steps();
  row.clear_started_ms();
  row.set_fetched_bytes(0);
  row.set_detail("to be tried again");
  move(result, v1::WAITING, now_ms);
  clamp_accepted(result.rollout);  // the row is not counted now
  tell(result);
}

struct Visitor {
  Step& result;
  std::int64_t now_ms;

  void operator()(const Joined&) const { on_joined(result); }
  void operator()(const LetIn& event) const { on_let_in(result, event); }
  void operator()(const Offered&) const { on_offered(result, now_ms); }
  void operator()(const Online&) const { on_online(result, true, now_ms); }
  void operator()(const Offline&) const { on_online(result, false, now_ms); }
  void operator()(const Reported& event) const { on_reported(result, event.report, now_ms); }
  void operator()(const DeadlinePassed&) const { on_deadline(result, now_ms); }
  void operator()(const Gated& event) const { on_gated(result, event, now_ms); }
  void operator()(const Superseded& event) const { on_superseded(result, event.by, now_ms); }
  void operator()(const Aborted& event) const { on_aborted(result, event.by, now_ms); }
  void operator()(const Halted& event) const { on_halted(result, event, now_ms); }
  void operator()(const Retried&) const { on_retried(result, now_ms); }
};

// These come for all devices in a row, and the caller settles after the last one.
bool is_one_of_many(const Event& event) {
  return std::holds_alternative<Joined>(event) || std::holds_alternative<Halted>(event) ||
         std::holds_alternative<Retried>(event);
}

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
  if (!is_one_of_many(event)) advance(result.rollout, result.actions, now_ms);
  return result;
}

}  // namespace controller::rollout
