// The controller and its fleet on one page, for `fleetctl status`: of thousands of devices it is no
// larger than of ten.
#include <set>
#include <utility>

#include "controller/api_routes.h"
#include "controller/overview.h"
#include "fleet/v1/api.pb.h"

namespace controller {
namespace {

constexpr std::size_t kRolloutsShown = 3;
constexpr std::int64_t kRolloutsLookedAt = 100;

// The newest, and of each app its newest if that one failed.
Result<v1::RolloutList> newest_rollouts(Call& call) {
  TRY(const auto rollouts, call.parts.store.rollouts(kRolloutsLookedAt));
  std::vector<rollout::Rollout> out;
  std::set<std::string> apps;
  for (const rollout::Rollout& rollout : rollouts) {
    const bool newest = apps.insert(rollout.app).second;
    const bool failed = newest && rollout.state == v1::ROLLOUT_FAILED;
    if (out.size() < kRolloutsShown || failed) out.push_back(rollout);
  }
  return rollouts_for(call, out);
}

Result<v1::ServerStatus> status_for(Call& call) {
  Parts& parts = call.parts;
  TRY(v1::ServerStatus status, parts.overview->figures(call.caller.groups));
  status.set_version(FLEET_VERSION);
  status.set_up_ms(static_cast<std::uint64_t>(parts.clock.now_ms() - parts.started_ms));
  for (v1::DeviceTrouble& trouble : *status.mutable_troubles()) {
    for (v1::Device& device : *trouble.mutable_named()) {
      TRY(const DeviceRow row, device_named(parts, device.name()));
      TRY(device, device_as_listed(parts, row));
    }
  }
  TRY(const auto running, parts.store.running_rollouts());
  TRY(auto list, rollouts_for(call, running));
  status.mutable_running()->Swap(list.mutable_rollouts());
  TRY(auto newest, newest_rollouts(call));
  status.mutable_rollouts()->Swap(newest.mutable_rollouts());
  TRY(auto apps, apps_of(call));
  status.mutable_apps()->Swap(apps.mutable_apps());
  TRY(auto expiries, parts.metadata.expiries());
  for (v1::RoleExpiry& role : expiries) *status.add_expiries() = std::move(role);
  TRY(*status.mutable_audit_head(), parts.store.audit_head());
  return status;
}

}  // namespace

awaitable<Response> show_status(Call call) {
  const auto status = status_for(call);
  if (!status) co_return error_response(status.error());
  co_return answer(*status);
}

}  // namespace controller
