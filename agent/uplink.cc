#include "agent/uplink.h"

#include <algorithm>
#include <utility>

#include "proto/log.h"
#include "proto/units.h"

namespace agent {
namespace {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Status;

constexpr std::int64_t kLeastMs = 30'000;  // after a start of the agent

}  // namespace

std::string uplink_owed(const App& app, const fleet::v1::AppManifest& manifest,
                        const std::string& attempt) {
  const std::uint64_t uplink_ms = manifest.update().uplink_ms();
  return uplink_ms != 0 && app.device.had_link(uplink_ms) ? attempt : "";
}

bool owes_uplink(const App& app) {
  const ota::SlotRecord* live = app.slots.live_slot();
  return live != nullptr && !app.row.uplink.empty() && app.row.uplink == live->release.attempt;
}

void forget_uplink(App& app) {
  AppRow next = app.row;
  next.uplink.clear();
  ota::Transaction transaction(app.device.state.database());
  Status stored = app.device.state.put_app(transaction, app.name, next);
  if (stored) stored = transaction.commit();
  if (!stored) {
    proto::log_error("uplink.not_stored", {{"app", app.name}, {"why", stored.error().what}});
    return;
  }
  app.row = std::move(next);
}

std::optional<Error> tend_uplink(App& app, Deadline& wake) {
  Device& device = app.device;
  if (!owes_uplink(app) || !app.manifest || !app.wanted_running()) {  // stopped, it proves nothing
    app.uplink_since_ms = 0;
    return std::nullopt;
  }
  const std::int64_t now_ms = device.ports.clock.now_ms();
  if (app.uplink_since_ms == 0) {
    if (!app.live || app.live->ended() || !app.live->last.ports_up) return std::nullopt;
    app.uplink_since_ms = now_ms;
  }
  if (device.link_up && device.link_since_ms > app.uplink_since_ms) {
    proto::log_info("uplink.back", {{"app", app.name}});
    forget_uplink(app);
    return std::nullopt;
  }
  if (device.link_up) device.renew_link();
  const auto allowed_ms = static_cast<std::int64_t>(app.manifest->update().uplink_ms());
  const auto age_ms = static_cast<std::int64_t>(app.slots.age_ms(device.ports.machine.boot_time()));
  const std::int64_t least_ms =
      std::min(allowed_ms, kLeastMs) - (now_ms - app.uplink_since_ms);
  const std::int64_t left_ms = std::max(allowed_ms - age_ms, least_ms);
  if (left_ms > 0) {
    wake = wake.sooner(Deadline{now_ms + left_ms});
    return std::nullopt;
  }
  return Error{Code::uplink_lost,
               "no link to the controller for " +
                   proto::format_duration_ms(static_cast<std::uint64_t>(allowed_ms)) +
                   " since its ports are up; there was one before",
               app.name};
}

}  // namespace agent
