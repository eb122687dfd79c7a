#include "agent/app_snapshots.h"

#include <set>
#include <utility>

#include "agent/snapshots.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Result;
using proto::Status;

// A release on trial is left, too, when the one before it starts again: after a power cut its tries
// begin anew from what that one left.
std::set<std::string> left_backwards(const ota::AppSlots& slots) {
  std::set<std::string> tags;
  for (const ota::SlotRecord* slot : {&slots.a, &slots.b}) {
    const bool left = slot->state == ota::SlotState::bad || slot->state == ota::SlotState::trial;
    if (left) tags.insert(snapshot_tag(slot->release.attempt));
  }
  return tags;
}

struct Settled {
  std::set<std::string> kept;
  std::set<std::string> restored;
};

Result<Settled> settle(Snapshots& snapshots, const std::string& app, const std::string& own,
                       const std::set<std::string>& back) {
  Settled out;
  TRY(const auto tags, snapshots.list(app));
  for (const std::string& tag : tags) {
    if (tag == own) {
      out.kept.insert(tag);
    } else if (back.count(tag) == 1) {
      TRY_VOID(snapshots.restore(app, tag));
      out.restored.insert(tag);
    } else {
      TRY_VOID(snapshots.drop(app, tag));
    }
  }
  return out;
}

}  // namespace

proto::awaitable<Status> settle_snapshots(App& app, std::string attempt) {
  const std::string own = attempt.empty() ? "" : snapshot_tag(attempt);
  const bool known = app.snapshots.has_value();
  if (known && (app.snapshots->empty() || *app.snapshots == std::set<std::string>{own})) {
    co_return Status();
  }
  const std::set<std::string> back = left_backwards(app.slots);
  auto work = [&app, &own, &back] {
    return settle(app.device.snapshots, app.name, own, back);
  };
  auto settled = co_await proto::run_blocking(app.device.ports.disk_pool, std::move(work));
  if (!settled) {
    app.snapshots.reset();  // looked at again
    co_return settled.error();
  }
  if (!settled->restored.empty()) {
    proto::log_info("volume.restored", {{"app", app.name}});
  }
  app.snapshots = std::move(settled->kept);
  co_return Status();
}

proto::awaitable<Status> take_snapshots(App& app, fleet::v1::AppManifest of,
                                        std::string attempt) {
  CO_TRY_VOID(co_await settle_snapshots(app, attempt));
  const std::string tag = snapshot_tag(attempt);
  if (Snapshots::bytes_for(of) == 0) co_return Status();
  app.snapshots.reset();
  auto work = [&app, &of, &tag] { return app.device.snapshots.take(of, tag); };
  CO_TRY_VOID(co_await proto::run_blocking(app.device.ports.disk_pool, std::move(work)));
  app.snapshots = std::set<std::string>{tag};
  proto::log_info("volume.copied", {{"app", app.name}, {"release", of.release()}});
  co_return Status();
}

proto::awaitable<void> tend_snapshots(App& app) {
  const bool none = app.snapshots && app.snapshots->empty();
  if (none || !app.manifest || !app.live || app.slots.trial() || app.slots.under_watch) co_return;
  const std::uint64_t age_ms = app.slots.age_ms(app.device.ports.machine.boot_time());
  const bool may_fall_back = app.slots.slot(app.slots.spare()).state == ota::SlotState::good &&
                             age_ms < app.manifest->update().fallback_window_ms();
  if (may_fall_back) co_return;
  const Status settled = co_await settle_snapshots(app, "");
  if (!settled) {
    proto::log_warning("snapshot.not_dropped", {{"app", app.name}, {"why", settled.error().what}});
  }
}

}  // namespace agent
