// The words of a rollout: its states, its verdict, and its form for API and store.
#include <algorithm>

#include "controller/rollout_parts.h"

namespace controller::rollout {
namespace {

const char* past_word(v1::RolloutKind kind) {
  switch (kind) {
    case v1::KIND_STOP: return "stopped";
    case v1::KIND_START: return "started";
    case v1::KIND_RESTART: return "restarted";
    case v1::KIND_DELETE: return "deleted";
    case v1::KIND_REVERT: return "reverted";
    case v1::KIND_STAGE: return "staged";
    case v1::KIND_CONFIG: return "healthy with its new values";
    default: return "live";
  }
}

std::string failures(const v1::RolloutCounts& counts) {
  std::string text;
  if (counts.reverted() > 0) text += ", " + std::to_string(counts.reverted()) + " reverted";
  if (counts.failed() > 0) text += ", " + std::to_string(counts.failed()) + " failed";
  if (counts.held() > 0) text += ", " + std::to_string(counts.held()) + " held";
  return text;
}

}  // namespace

std::string people_number(std::uint64_t number, const char* one, const char* many) {
  return std::to_string(number) + (number == 1 ? one : many);
}

std::string subject(const Rollout& rollout) {
  if (!has_waves(rollout.kind)) return rollout.app;
  return rollout.app + " " + std::to_string(rollout.release);
}

std::string success_verdict(const Rollout& rollout) {
  const v1::RolloutCounts& counts = rollout.counts;
  const std::uint32_t reached = counts.devices() - counts.offline();
  std::string text = subject(rollout) + " is " + past_word(rollout.kind) + " on " +
                     std::to_string(counts.healthy()) + " of ";
  if (counts.offline() == 0) {
    text += people_number(reached, " device", " devices");
  } else {
    text += people_number(reached, " reachable device", " reachable devices");
  }
  std::string rest = failures(counts);
  if (!rest.empty()) rest += " (within max_failed " + rollout.policy.max_failed() + ")";
  if (counts.offline() > 0) rest += ", " + std::to_string(counts.offline()) + " offline";
  return rest.empty() ? text : text + ";" + rest.substr(1);
}

std::string failure_verdict(const Rollout& rollout) {
  const v1::RolloutCounts& counts = rollout.counts;
  std::string text = subject(rollout) + ": " + std::to_string(counts.healthy()) + " " +
                     (is_release(rollout.kind) ? "healthy" : past_word(rollout.kind));
  text += failures(counts);
  if (counts.superseded() > 0) text += ", " + std::to_string(counts.superseded()) + " superseded";
  if (counts.busy() > 0) text += ", " + std::to_string(counts.busy()) + " under way";
  if (counts.waiting() > 0) text += ", " + std::to_string(counts.waiting()) + " not let in";
  if (counts.offline() > 0) text += ", " + std::to_string(counts.offline()) + " offline";
  if (!rollout.halted_why.empty()) text += "; stopped: " + rollout.halted_why;
  if (!rollout.first_failure.empty()) text += "; first: " + rollout.first_failure;
  return text;
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

bool is_release(v1::RolloutKind kind) {
  return kind == v1::KIND_PUSH || kind == v1::KIND_ROLLBACK;
}

bool has_waves(v1::RolloutKind kind) { return is_release(kind) || kind == v1::KIND_STAGE; }

bool is_under_way(v1::RolloutState state) {
  return state == v1::ROLLOUT_RUNNING || state == v1::ROLLOUT_PAUSED ||
         state == v1::ROLLOUT_REVERTING;
}

bool has_ended(v1::RolloutKind kind, v1::DeviceState state) {
  switch (state) {
    case v1::STAGED: return kind == v1::KIND_STAGE;
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
    case v1::KIND_STAGE: return state == v1::STAGED;
    // "reverted" is what the order asked for; the slot that it went back to is healthy again.
    case v1::KIND_REVERT: return state == v1::HEALTHY || state == v1::REVERTED;
    default: return state == v1::HEALTHY;
  }
}

bool is_failure(v1::RolloutKind kind, v1::DeviceState state) {
  return has_ended(kind, state) && !is_success(kind, state) && state != v1::SUPERSEDED;
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
    case v1::ROLLOUT_PAUSED: return "paused";
    case v1::ROLLOUT_REVERTING: return "reverting";
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
    case v1::KIND_STAGE: return "stage";
    case v1::KIND_CONFIG: return "config";
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
  *out.mutable_policy() = rollout.policy;
  for (const v1::RolloutWave& wave : rollout.waves) *out.add_waves() = wave;
  out.set_wave(rollout.wave);
  out.set_soak_until_ms(static_cast<std::uint64_t>(rollout.soak_until_ms));
  out.set_paused_by(rollout.paused_by);
  out.set_paused_why(rollout.paused_why);
  out.set_halted_why(rollout.halted_why);
  std::vector<v1::RolloutFault> faults = rollout.faults;
  std::stable_sort(faults.begin(), faults.end(), [](const auto& one, const auto& other) {
    return one.devices() > other.devices();
  });
  for (const v1::RolloutFault& fault : faults) *out.add_faults() = fault;
  out.set_accepted_failures(rollout.accepted_failures);
  for (const std::string& group : rollout.within) out.add_within(group);
  return out;
}

void from_api(const v1::Rollout& from, Rollout& out) {
  out.previous_release = from.previous_release();
  out.selector = from.selector();
  out.by = from.by();
  out.created_ms = static_cast<std::int64_t>(from.created_ms());
  out.ended_ms = static_cast<std::int64_t>(from.ended_ms());
  out.counts = from.counts();
  out.verdict = from.verdict();
  out.strategy = from.strategy();
  out.require_all = from.require_all();
  out.policy = from.policy();
  out.waves.assign(from.waves().begin(), from.waves().end());
  out.wave = std::max<std::uint32_t>(from.wave(), 1);
  out.soak_until_ms = static_cast<std::int64_t>(from.soak_until_ms());
  out.paused_by = from.paused_by();
  out.paused_why = from.paused_why();
  out.halted_why = from.halted_why();
  out.faults.assign(from.faults().begin(), from.faults().end());
  out.accepted_failures = from.accepted_failures();
  out.within.assign(from.within().begin(), from.within().end());
  if (!out.waves.empty()) return;
  // Of a controller that knew no waves.
  v1::RolloutWave& only = out.waves.emplace_back();
  *only.mutable_counts() = out.counts;
  only.set_opened_ms(from.created_ms());
}

}  // namespace controller::rollout
