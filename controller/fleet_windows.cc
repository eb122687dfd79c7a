// The half of Fleet that keeps to the windows of releases (controller/windows).
#include <set>
#include <utility>

#include "controller/fleet.h"

namespace controller {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

}  // namespace

Status Fleet::gate(std::int64_t number, const std::string& device_id) {
  TRY(const auto rollout, store_.rollout(number));
  bool windowed = false;
  if (rollout && (rollout::has_waves(rollout->kind) || rollout->kind == v1::KIND_CONFIG)) {
    TRY(windowed, windows_.has_any(rollout->app, rollout->release));
  }
  if (!windowed) return {};  // as nearly all are, at each Hello
  TRY(const auto device, store_.rollout_device(number, device_id));
  if (!device || device->ended || !device->row.let_in()) {
    windowed_.erase({number, device_id});
    return {};
  }
  windowed_.insert({number, device_id});
  TRY(const Subject subject, store_.subject(device_id));
  TRY(Gate now, windows_.judge(rollout->app, rollout->release, subject, clock_.wall_ms()));
  if (rollout->kind == v1::KIND_STAGE && !now.hold_fetch) now = Gate();  // nothing is armed
  if (rollout->kind == v1::KIND_STAGE) now.hold_arm = false;
  const v1::RolloutDevice& row = device->row;
  if (row.hold_fetch() == now.hold_fetch && row.hold_arm() == now.hold_arm) return {};
  TRY_VOID(apply(number, device_id,
                 rollout::Gated{now.hold_fetch, now.hold_arm, std::move(now.text)}));
  return changed(device_id);
}

Status Fleet::look_at_windows(const std::string& device_id) {
  TRY(const auto open, store_.open_rollouts_of(device_id));
  for (const std::int64_t number : open) TRY_VOID(gate(number, device_id));
  return {};
}

bool Fleet::gates_due(std::int64_t now_ms) {
  if (windowed_.empty() || now_ms / kMinuteMs == gated_minute_) return false;
  gated_minute_ = now_ms / kMinuteMs;
  return true;
}

Status Fleet::gate_all() {
  const std::set<std::pair<std::int64_t, std::string>> all = windowed_;
  for (const auto& [number, device_id] : all) TRY_VOID(gate(number, device_id));
  return {};
}

Status Fleet::mark_holds(const std::string& device_id, v1::Desired& desired) {
  for (v1::DesiredApp& app : *desired.mutable_apps()) {
    const std::uint64_t release = app.stage_release() != 0 ? app.stage_release() : app.release();
    if ((app.run() != v1::RUN && app.stage_release() == 0) || release == 0) continue;
    TRY(const bool windowed, windows_.has_any(app.app(), release));
    if (!windowed) continue;
    TRY(const Subject subject, store_.subject(device_id));
    TRY(const Gate now, windows_.judge(app.app(), release, subject, clock_.wall_ms()));
    app.set_hold_fetch(now.hold_fetch);
    app.set_hold_arm(now.hold_arm);
  }
  return {};
}

}  // namespace controller
