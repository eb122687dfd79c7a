// What the operator's orders mean here: stop, start, restart, remove, go back (agent/supervise).
#include <optional>
#include <string>
#include <utility>

#include "agent/app_snapshots.h"
#include "agent/flight.h"
#include "agent/guest_config.h"
#include "agent/spare.h"
#include "agent/supervise.h"
#include "agent/update.h"
#include "agent/uplink.h"
#include "proto/log.h"
#include "proto/manifest.h"

namespace agent {
namespace {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::int64_t kStoreRetryMs = 1000;

// Writes the last report of a wish; what cannot be stored is tried again with the wish.
proto::awaitable<void> finish(App& app, ReportDraft draft) {
  draft.ends_wish = true;
  const Status reported = app.report(draft);
  if (reported) co_return;
  proto::log_error("report.not_stored", {{"app", app.name}, {"why", reported.error().what}});
  co_await proto::sleep_ms(app.device.ports.clock, kStoreRetryMs);
}

proto::awaitable<void> collect(App& app) {
  if (app.device.stopping) co_return;
  const Status collected = co_await app.device.collect_blobs();
  if (!collected) {
    proto::log_warning("blobs.not_collected", {{"why", collected.error().what}});
  }
}

// Whether all are gone. While the launcher is away nobody knows: the order is obeyed once more, and
// nothing is told before it is so.
proto::awaitable<bool> stop_guests(App& app) {
  co_await supersede(app);
  co_await end_spare(app);
  co_await app.stop_live();
  co_return co_await app.stop_leaving();
}

proto::awaitable<void> stop(App& app) {
  const std::uint64_t release =
      app.slots.live ? app.slots.live_slot()->release.release : app.wish.release();
  const ReportDraft draft = app.draft(fleet::v1::STOPPED, release);
  if (!co_await stop_guests(app)) co_return;
  co_await finish(app, draft);
}

proto::awaitable<void> remove(App& app) {
  ReportDraft draft = app.draft(fleet::v1::REMOVED, 0);
  draft.ends_wish = true;
  if (!co_await stop_guests(app)) co_return;
  const Status settled = co_await settle_snapshots(app, "");
  if (!settled) {
    proto::log_error("remove.not_stored", {{"app", app.name}, {"why", settled.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, kStoreRetryMs);
    co_return;
  }
  // Before the records that say which: cut here, the order is obeyed once more.
  const std::vector<std::string> unkept = co_await app.unkept_volumes();
  auto drop = [&app, &unkept] { return app.device.volumes.remove(app.name, unkept); };
  const Status dropped =
      co_await proto::run_blocking(app.device.ports.disk_pool, std::move(drop));
  if (!dropped) {
    proto::log_error("remove.not_stored", {{"app", app.name}, {"why", dropped.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, kStoreRetryMs);
    co_return;
  }
  for (const std::string& volume : unkept) {
    proto::log_info("volume.removed", {{"app", app.name}, {"volume", volume}});
  }
  const App::Verb verb = [&app](ota::Transaction& tx) -> Result<ota::AppSlots> {
    TRY_VOID(ota::Slots::remove(tx, app.name));
    return ota::Slots::read(tx.database(), app.name);
  };
  const Status moved = app.move(verb, draft);
  if (!moved) {
    proto::log_error("remove.not_stored", {{"app", app.name}, {"why", moved.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, kStoreRetryMs);
    co_return;
  }
  app.manifest.reset();
  app.judge.reset();
  app.restarts.reset();
  app.slots.app = app.name;
  app.publish_live();
  co_await collect(app);
}

// Waits until the live release answers, and says so; or says that it does not.
// in     key: of the wish that is pursued; a newer one may have come since
proto::awaitable<void> settle(App& app, std::string key, std::string detail) {
  if (app.superseded(key)) co_return;
  const std::uint64_t release = app.slots.live_slot()->release.release;
  proto::Clock& clock = app.device.ports.clock;
  constexpr std::int64_t kStartMarginMs = 10'000;
  std::optional<Deadline> deadline;
  app.leave_ended = false;
  while (!app.device.stopping && !app.superseded(key)) {
    const Deadline wake = co_await tick(app);
    const bool same = app.slots.live && app.slots.live_slot()->release.release == release;
    if (app.superseded(key) || app.wish_done() || !same) co_return;  // reverted under watch
    const bool healthy = app.live && app.judge && app.judge->healthy();
    if (healthy && !owes_uplink(app)) {
      ReportDraft draft = app.draft(fleet::v1::HEALTHY, release);
      draft.detail = std::move(detail);
      co_await finish(app, std::move(draft));
      co_return;
    }
    if (!deadline && app.manifest) {
      const fleet::v1::Health& health = app.manifest->health();
      deadline = Deadline::after(clock, kStartMarginMs + static_cast<std::int64_t>(
                                                             health.grace_ms() +
                                                             health.deadline_ms()));
    }
    if (deadline && deadline->passed(clock) && !healthy) {
      ReportDraft draft = app.draft(fleet::v1::FAILED, release);
      draft.why.set_code(fleet::v1::CODE_NO_ANSWER);
      draft.why.set_text(app.name + " does not become healthy; it is restarted again and again");
      co_await finish(app, std::move(draft));
      co_return;
    }
    const Deadline until = deadline && !healthy ? wake.sooner(*deadline) : wake;
    if (!until.passed(clock)) co_await app.changed.wait(until);
  }
}

proto::awaitable<void> restart(App& app) {
  std::string key = wish_key(app.wish);
  app.restart_at_ms = 0;
  if (!take_over(app)) co_await app.stop_live();
  co_await settle(app, std::move(key), "restarted");
}

// The operator's order to go back one step (DESIGN 4): no signing key, no download.
proto::awaitable<void> fall_back(App& app) {
  std::string key = wish_key(app.wish);
  co_await supersede(app);
  if (app.superseded(key)) co_return;
  const ota::SlotRecord* from = app.slots.live_slot();
  ota::FallBackOrder order;
  order.app = app.name;
  order.from_release = from != nullptr ? from->release.release : 0;
  order.window_ms = app.manifest ? app.manifest->update().fallback_window_ms() : 0;
  order.is_yanked = [&app](std::uint64_t release) {
    return app.device.is_yanked(app.name, release);
  };
  const ota::SlotRecord& other = app.slots.slot(app.slots.spare());
  Status moved;
  if (other.state != ota::SlotState::good || other.release.release != app.wish.fall_back()) {
    moved = Error{Code::no_fallback,
                  app.name + " " + std::to_string(app.wish.fall_back()) +
                      " is not in this device's other slot; `fleetctl rollback` brings it back",
                  app.name};
  } else {
    const App::Verb verb = [&app, &order](ota::Transaction& tx) {
      return ota::Slots::fall_back(tx, order, app.device.ports.machine.boot_time());
    };
    ReportDraft draft = app.draft(fleet::v1::TRIAL, app.wish.fall_back());
    draft.detail = "going back from " + std::to_string(order.from_release);
    moved = app.move(verb, draft);
  }
  if (!moved) {
    const Code code = moved.error().code;
    if (code == Code::no_space || code == Code::io) {
      co_await proto::sleep_ms(app.device.ports.clock, kStoreRetryMs);
      co_return;
    }
    ReportDraft draft = app.draft(fleet::v1::HELD, order.from_release);
    draft.why.set_code(static_cast<fleet::v1::Code>(code));
    draft.why.set_text(moved.error().what);
    co_await finish(app, std::move(draft));
    co_return;
  }
  drop_spare(app);
  // Two cannot run at once: a volume has one writer, an address one owner, a bridge one forwarder.
  if (app.manifest && proto::widest_handover(*app.manifest) != fleet::v1::BESIDE) {
    co_await app.stop_live();
  }
  // Ports stay with the instance that answers until the other one does too.
  std::optional<Guest> old = std::exchange(app.live, std::nullopt);
  const std::uint64_t drain_ms = app.manifest ? app.manifest->update().drain_ms() : 0;
  app.manifest.reset();
  app.live_probe.forget();
  app.restart_at_ms = 0;
  app.hold_ports = true;
  co_await settle(app, std::move(key), "went back from " + std::to_string(order.from_release));
  app.hold_ports = false;
  if (app.device.stopping) co_return;
  app.publish_live();
  if (old) app.leave(std::move(*old), drain_ms);
}

// Its trial was on when the disk lost its bytes: after a start the slot is bad, and that is its
// verdict. The same release may come again as another attempt.
proto::awaitable<void> tell_fallen(App& app, ota::SlotRecord fallen) {
  const bool back = app.slots.live.has_value();
  ReportDraft draft =
      app.draft(back ? fleet::v1::REVERTED : fleet::v1::FAILED, fallen.release.release);
  const auto wall_ms = static_cast<std::uint64_t>(app.device.ports.clock.wall_ms());
  draft.flight = flight_without_guest(app.wish, Error{fallen.why, fallen.why_text, app.name},
                                      wall_ms);
  draft.flight->set_outcome(back ? fleet::v1::FLIGHT_TRIAL_FAILED
                                 : fleet::v1::FLIGHT_FIRST_FAILED);
  draft.why = draft.flight->why();
  co_await finish(app, std::move(draft));
}

// Whether what is live is what is wanted, values of variables included.
bool is_live(const App& app) {
  const ota::SlotRecord* live = app.slots.live_slot();
  if (live == nullptr || live->release.release != app.wish.release()) return false;
  return app.wish.keep_values() ||
         live->release.overrides == write_overrides(values_of(app.wish));
}

bool wants_update(const App& app) {
  return !app.wish_done() && app.wish.run() == fleet::v1::RUN && app.wish.release() != 0 &&
         app.wish.fall_back() == 0 && !is_live(app);
}

// A window of the release is closed: nothing is touched until the controller says that it opened.
proto::awaitable<void> wait_for_window(App& app) {
  const std::string key = wish_key(app.wish);
  app.busy = app.slots.candidate ? fleet::v1::STAGED : fleet::v1::WAITING;
  while (!app.device.stopping && !app.superseded(key) && app.held()) {
    const Deadline wake = co_await tick(app);
    const bool waits = !app.device.stopping && !app.superseded(key) && app.held();
    if (waits && !wake.passed(app.device.ports.clock)) co_await app.changed.wait(wake);
  }
  app.busy.reset();
  if (app.device.stopping || wants_update(app)) co_return;
  app.device.let_go(app.name);  // of what came before the window closed
  co_await collect(app);
}

// Fetched and verified beside what runs, or does not run; nothing is started. What is on trial ends
// first: the controller waits for that.
proto::awaitable<void> stage_only(App& app) {
  if (app.slots.trial()) co_return co_await supersede(app);
  // A wish that was called off may have started what is to stand still.
  if (!app.wanted_running()) {
    const bool stopped = co_await stop_guests(app);
    if (!stopped) co_return;
  }
  if (app.held()) co_return co_await wait_for_window(app);
  co_await run_update(app);
  co_await collect(app);
}

proto::awaitable<void> run(App& app) {
  const ota::SlotRecord* live = app.slots.live_slot();
  const auto on_trial = app.slots.trial();
  const bool ours =
      on_trial && app.slots.slot(*on_trial).release.attempt == app.wish.attempt();
  if (on_trial && !ours) {
    co_await supersede(app);
    co_return;
  }
  if (app.wish.fall_back() != 0) {
    const bool there = live != nullptr && live->release.release == app.wish.fall_back();
    if (there) co_return co_await settle(app, wish_key(app.wish), "runs");
    co_return co_await fall_back(app);
  }
  if (app.wish.release() == 0) {
    ReportDraft draft = app.draft(fleet::v1::FAILED, 0);
    draft.why.set_code(fleet::v1::CODE_NOT_FOUND);
    draft.why.set_text("no release of " + app.name + " is on this device; push one");
    co_return co_await finish(app, std::move(draft));
  }
  if (!is_live(app)) {
    const ota::SlotRecord* fallen = app.slots.fallen(app.wish.attempt());
    if (fallen != nullptr) co_return co_await tell_fallen(app, *fallen);
    if (app.held()) co_return co_await wait_for_window(app);
    co_await run_update(app);
    // A newer wish may want the same bytes: then the update to it collects.
    if (!wants_update(app)) co_await collect(app);
    co_return;
  }
  if (app.wish.restart_count() > app.row.restart_count) {
    co_await restart(app);
  } else {
    const bool ran = app.live && !app.live->ended();
    const char* detail = owes_uplink(app) ? "its link to the controller is back"
                         : ran            ? "runs already"
                                          : "started";
    co_await settle(app, wish_key(app.wish), detail);
  }
}

}  // namespace

proto::awaitable<void> pursue(App& app) {
  if (app.wish.stage_release() != 0 && app.wish.run() != fleet::v1::REMOVE) {
    co_return co_await stage_only(app);
  }
  switch (app.wish.run()) {
    case fleet::v1::STOP: co_await stop(app); break;
    case fleet::v1::REMOVE: co_await remove(app); break;
    default: co_await run(app); break;
  }
}

}  // namespace agent
