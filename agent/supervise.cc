#include "agent/supervise.h"

#include <algorithm>
#include <utility>

#include "agent/app_snapshots.h"
#include "agent/flight.h"
#include "agent/spare.h"
#include "agent/update.h"
#include "agent/uplink.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Result;
using proto::Status;

// Between two looks when nothing else is due; an event wakes earlier.
constexpr std::int64_t kLookMs = 1000;
constexpr std::int64_t kLeastLookMs = 10;
constexpr std::int64_t kStartRetryMs = 1000;
constexpr std::int64_t kLeavingLookMs = 50;

// Under watch a fault takes the release back, but never to one that was yanked: then it is
// restarted, as after the watch.
bool may_take_back(const App& app) {
  if (!app.slots.under_watch) return false;
  const ota::SlotRecord& other = app.slots.slot(app.slots.spare());
  const bool yanked = other.state == ota::SlotState::good &&
                      app.device.is_yanked(app.name, other.release.release);
  if (yanked) {
    proto::log_warning("revert.not_done", {{"app", app.name},
                                           {"release", other.release.release},
                                           {"why", "the release in the other slot was yanked"}});
  }
  return !yanked;
}

// The live slot under watch failed: the other good one takes over.
void revert_live(App& app, const fleet::v1::FlightRecord& flight) {
  const fleet::v1::Reason& why = flight.why();
  const ota::ReleaseRecord record = app.slots.live_slot()->release;
  const ota::SlotRecord& other = app.slots.slot(app.slots.spare());
  const bool back = other.state == ota::SlotState::good;
  ReportDraft draft = app.draft(back ? fleet::v1::REVERTED : fleet::v1::FAILED, record.release);
  if (app.wish.attempt() != record.attempt) draft.wish.set_attempt(record.attempt);
  draft.why = why;
  draft.flight = flight;
  draft.flight->set_outcome(back ? fleet::v1::FLIGHT_REVERTED : fleet::v1::FLIGHT_FIRST_FAILED);
  draft.detail = back ? "runs " + app.name + " " + std::to_string(other.release.release)
                      : "first release here: nothing to go back to, the app is stopped";
  draft.ends_wish = app.wish.attempt() == record.attempt;
  // Another attempt wants that release, too, and had found it running: it has to be told as well.
  draft.reopens_wish = !draft.ends_wish && app.wish_done() && app.wish.run() == fleet::v1::RUN &&
                       app.wish.release() == record.release;
  const Code code = static_cast<Code>(why.code());
  const App::Verb verb = [&app, &record, code, &why](ota::Transaction& tx) {
    return ota::Slots::revert(tx, app.name, record.attempt, code, why.text());
  };
  const Status moved = app.move(verb, draft);
  if (!moved) {
    proto::log_error("revert.not_stored", {{"app", app.name}, {"why", moved.error().what}});
    return;
  }
  if (app.live) {
    app.send_console(*app.live);
    app.leave(std::move(*app.live), 0);
    app.live.reset();
  }
  app.manifest.reset();
  app.restart_at_ms = 0;
  app.leave_ended = false;
}

// The live guest is gone: again, later, or back.
void on_live_end(App& app) {
  app.live_probe.forget();
  fleet::v1::FlightRecord flight = app.flight(*app.live, Code::unset, "", &*app.judge);
  const fleet::v1::Reason why = flight.why();
  const bool failed = why.exit() != "guest exit 0";
  const RestartDecision decision =
      app.restarts->on_end(failed, static_cast<std::uint64_t>(app.device.ports.clock.now_ms()));
  proto::log_warning("guest.ended", {{"app", app.name},
                                     {"release", app.live->release},
                                     {"instance", app.live->id},
                                     {"code", proto::name_of(static_cast<Code>(why.code()))},
                                     {"why", why.text()}});
  if (decision.kind == RestartDecision::Kind::crash_loop && may_take_back(app)) {
    flight.mutable_why()->set_code(fleet::v1::CODE_CRASH_LOOP);
    flight.mutable_why()->set_text("crash loop: " + why.text());
    revert_live(app, flight);
    app.tend_leaving();
    if (!app.live) return;
  }
  app.leave_ended = decision.kind == RestartDecision::Kind::leave;
  app.restart_at_ms =
      app.device.ports.clock.now_ms() + static_cast<std::int64_t>(decision.wait_ms);
  const bool taken_over = take_over(app);  // before anything waits for the disk
  if (failed || !app.leave_ended) {
    app.keep_flight(std::move(flight), app.leave_ended ? fleet::v1::FLIGHT_ENDED
                                                       : fleet::v1::FLIGHT_RESTARTED);
  }
  if (taken_over) return;
  app.forget(*app.live);
  app.live.reset();
}

// Bytes of a slot were damaged or lost on the disk: the records move to what is whole.
proto::awaitable<void> recover_bytes(App& app) {
  auto work = [&app]() -> Result<std::vector<ota::BlobRef>> {
    TRY(const auto pinned, ota::Slots::pinned_blobs(app.device.state.database()));
    std::vector<ota::BlobRef> gone;
    for (const ota::BlobRef& blob : pinned) {
      if (!app.device.blobs.has(blob)) gone.push_back(blob);
    }
    return gone;
  };
  // In line with the loop: the database belongs to it, and this is rare.
  auto gone = work();
  if (!gone) co_return;
  ota::Transaction transaction(app.device.state.database());
  auto recovered = ota::Slots::recover(
      transaction, app.device.ports.machine.boot_time(), [&gone](const ota::BlobRef& blob) {
        return std::find(gone->begin(), gone->end(), blob) == gone->end();
      });
  if (!recovered) co_return;
  const Status committed = transaction.commit();
  if (!committed) co_return;
  for (const ota::Recovered& one : *recovered) {
    proto::log_error("slot.lost", {{"app", one.app}, {"release", one.release},
                                   {"why", one.why_text}});
  }
  const Status loaded = app.load();
  if (!loaded) proto::log_error("state.unreadable", {{"why", loaded.error().what}});
}

proto::awaitable<void> start_live(App& app) {
  const ota::SlotName slot = *app.slots.live;
  if (!app.manifest) {
    const Status loaded = co_await app.load_live();
    if (!loaded) {
      proto::log_error("slot.unreadable", {{"app", app.name}, {"why", loaded.error().what}});
      co_await recover_bytes(app);
      app.restart_at_ms = app.device.ports.clock.now_ms() + kStartRetryMs;
      co_return;
    }
  }
  if (app.manifest->volumes_size() != 0 && !app.leaving.empty()) {
    // A volume has one writer: the instance before may still be on its way to the end.
    app.restart_at_ms = app.device.ports.clock.now_ms() + kLeavingLookMs;
    co_return;
  }
  const ota::ReleaseRecord record = app.slots.slot(slot).release;
  const fleet::v1::AppManifest manifest = *app.manifest;
  const Status settled = co_await settle_snapshots(app, record.attempt);
  if (!settled) {
    proto::log_error("volume.not_restored", {{"app", app.name}, {"why", settled.error().what}});
    app.restart_at_ms = app.device.ports.clock.now_ms() + kStartRetryMs;
    co_return;
  }
  auto started = co_await app.start(slot, record, manifest, StartAs::serving);
  if (started) {
    app.live = std::move(*started);
    const std::uint64_t allowed = manifest.health().grace_ms() + manifest.health().deadline_ms();
    app.judge.emplace(manifest.health(), allowed);
    co_return;
  }
  if (app.device.stopping) co_return;
  const Error& error = started.error();
  proto::log_error("guest.not_started", {{"app", app.name},
                                         {"release", record.release},
                                         {"code", proto::name_of(error.code)},
                                         {"why", error.what}});
  if (error.code == Code::bad_digest || error.code == Code::not_found) {
    co_await recover_bytes(app);
    app.manifest.reset();
  }
  app.restart_at_ms = app.device.ports.clock.now_ms() + kStartRetryMs;
}

// One probe's outcome for a live guest.
proto::awaitable<void> judge_live(App& app, Verdict verdict) {
  if (verdict == Verdict::undecided || verdict == Verdict::healthy) co_return;
  const bool lost_it = verdict == Verdict::unhealthy;
  const std::string what =
      std::string(lost_it ? "health failed: " : "no answer after a restart: ") +
      app.judge->last_failure();
  const Code code = lost_it ? Code::unhealthy : Code::no_answer;
  fleet::v1::FlightRecord flight = app.flight(*app.live, code, what, &*app.judge);
  proto::log_warning("guest.unhealthy", {{"app", app.name},
                                         {"release", app.live->release},
                                         {"why", what}});
  if (may_take_back(app)) {
    revert_live(app, flight);
    app.tend_leaving();
    co_return;
  }
  app.keep_flight(std::move(flight), fleet::v1::FLIGHT_RESTARTED);
  // Out of the watch only a restart can help; it counts as an end, so that it backs off.
  const RestartDecision decision =
      app.restarts->on_end(true, static_cast<std::uint64_t>(app.device.ports.clock.now_ms()));
  app.leave_ended = false;
  app.restart_at_ms = app.device.ports.clock.now_ms() +
                      static_cast<std::int64_t>(std::max(decision.wait_ms, std::uint64_t{1}));
  if (take_over(app)) co_return;
  co_await app.stop_live();
}

proto::awaitable<void> probe_live(App& app, Deadline& wake) {
  proto::Clock& clock = app.device.ports.clock;
  const auto result = app.live_probe.take();
  if (result) {
    const Verdict verdict = app.judge->on_probe(*result, app.serving_ms(*app.live));
    app.restarts->on_healthy_for(app.judge->healthy() ? app.serving_ms(*app.live) : 0);
    app.next_probe_ms = clock.now_ms() + static_cast<std::int64_t>(app.judge->wait_ms());
    co_await judge_live(app, verdict);
    if (!app.live) co_return;
  }
  if (app.live_probe.under_way()) co_return;
  if (clock.now_ms() >= app.next_probe_ms) {
    app.begin_probe(app.live_probe, *app.live, *app.manifest);
    // A result that is there at once is judged in the next round.
    app.next_probe_ms = clock.now_ms() + static_cast<std::int64_t>(app.judge->wait_ms());
    if (!app.live_probe.under_way()) {
      const auto at_once = app.live_probe.take();
      const Verdict verdict = app.judge->on_probe(*at_once, app.serving_ms(*app.live));
      app.restarts->on_healthy_for(app.judge->healthy() ? app.serving_ms(*app.live) : 0);
      app.next_probe_ms = clock.now_ms() + static_cast<std::int64_t>(app.judge->wait_ms());
      co_await judge_live(app, verdict);
      if (!app.live) co_return;
    }
  }
  if (!app.live_probe.under_way()) wake = wake.sooner(Deadline{app.next_probe_ms});
}

// Back to what brought the link, if that is here.
void on_uplink_lost(App& app, const Error& error) {
  proto::log_error("uplink.lost", {{"app", app.name}, {"why", error.what}});
  if (!may_take_back(app)) return forget_uplink(app);
  const auto wall_ms = static_cast<std::uint64_t>(app.device.ports.clock.wall_ms());
  const fleet::v1::FlightRecord flight =
      app.live ? app.flight(*app.live, error.code, error.what, &*app.judge)
               : flight_without_guest(app.wish, error, wall_ms);
  revert_live(app, flight);
  app.tend_leaving();
}

void end_watch(App& app) {
  if (!app.slots.under_watch || !app.manifest || owes_uplink(app)) return;
  ota::Database& database = app.device.state.database();
  const std::uint64_t age_ms = app.slots.age_ms(app.device.ports.machine.boot_time());
  if (age_ms < app.manifest->update().watch_ms()) return;
  ota::Transaction transaction(database);
  auto after = ota::Slots::end_watch(transaction, app.name);
  if (!after || !transaction.commit()) return;
  app.slots = std::move(*after);
  proto::log_info("watch.ended", {{"app", app.name}});
}

}  // namespace

proto::awaitable<Deadline> tick(App& app) {
  proto::Clock& clock = app.device.ports.clock;
  Deadline wake = Deadline::after(clock, kLookMs);
  const Status listed = app.refresh();
  if (!listed) co_return wake;  // the launcher is away: nothing can be judged or started
  app.tend_leaving();
  for (const Leaving& one : app.leaving) {
    if (!one.stop_sent) wake = wake.sooner(Deadline{one.stop_at_ms});
  }
  if (app.live && app.live->ended() && app.judge) on_live_end(app);
  const bool missing = !app.live && app.slots.live && app.wanted_running() && !app.hold_live &&
                       !app.leave_ended;
  // An agent that was killed may have left a spare without its live guest.
  const bool taken_over = missing && take_over(app);
  if (missing && !taken_over && clock.now_ms() >= app.restart_at_ms) {
    co_await start_live(app);
  } else if (missing && !taken_over) {
    wake = wake.sooner(Deadline{app.restart_at_ms});
  }
  app.raise_live();
  if (app.live && app.judge) co_await probe_live(app, wake);
  if (const auto lost = tend_uplink(app, wake)) on_uplink_lost(app, *lost);
  co_await tend_spare(app, wake);
  end_watch(app);
  co_await tend_snapshots(app);
  if (!app.hold_ports) app.publish_live();
  // What was due and could not be done is tried again soon, never at once.
  co_return Deadline{std::max(wake.at_ms, clock.now_ms() + kLeastLookMs)};
}

proto::awaitable<void> keep_live(App& app, const bool& until) {
  while (!until && !app.device.stopping) {
    const Deadline wake = co_await tick(app);
    if (!until && !app.device.stopping) co_await app.changed.wait(wake);
  }
}

namespace {

Guest guest_of(const Instance& one, const GuestTag& tag) {
  Guest guest;
  guest.id = one.id;
  guest.slot = tag.slot;
  guest.release = tag.release;
  guest.attempt = tag.attempt;
  guest.monitor = tag.monitor;
  guest.as_spare = tag.spare;
  guest.started_ms = one.started_ms;
  guest.last = one;
  std::size_t frame_ports = 0;
  for (const InterfaceRequest& interface : one.interfaces) {
    if (interface.address.value == 0) ++frame_ports;
    if (guest.address.value == 0) guest.address = interface.address;
  }
  guest.forwards = frame_ports >= 2;
  return guest;
}

}  // namespace

proto::awaitable<Status> adopt(App& app) {
  CO_TRY_VOID(app.load());
  const Status read = co_await app.load_live();
  if (!read) {
    proto::log_error("slot.unreadable", {{"app", app.name}, {"why", read.error().what}});
    co_await recover_bytes(app);
    CO_TRY_VOID(co_await app.load_live());
  }
  CO_TRY(auto listed, app.device.ports.launcher.list());
  // The last one started wins: a spare that took over, whose ports are up, is younger than the one
  // that it took over from.
  std::stable_sort(listed.begin(), listed.end(), [](const Instance& a, const Instance& b) {
    return a.started_ms > b.started_ms;
  });
  for (const Instance& one : listed) {
    const auto tag = read_tag(one.tag);
    if (!tag || tag->app != app.name) continue;
    Guest guest = guest_of(one, *tag);
    const ota::SlotRecord& slot = app.slots.slot(tag->slot);
    const bool of_slot = slot.release.attempt == tag->attempt &&
                         slot.release.release == tag->release;
    const bool runs = one.state == InstanceState::running;
    const bool of_live = of_slot && runs && app.slots.live == tag->slot;
    const bool waits = tag->spare && !one.ports_up;
    if (of_live && waits && !app.spare.guest) {
      app.spare.guest = std::move(guest);
      app.spare.cpu_ms = one.cpu_ms;
      app.spare.looked_ms = app.device.ports.clock.now_ms();
    } else if (of_live && !waits && !app.live) {
      app.judge->adopt_healthy();
      app.live = std::move(guest);
    } else if (of_slot && runs && !app.trial && app.slots.trial() == tag->slot) {
      app.trial = std::move(guest);
    } else {
      app.leave(std::move(guest), 0);
      continue;
    }
    const char* event = waits ? "spare.adopted" : "guest.adopted";
    proto::log_info(event,
                    {{"app", app.name}, {"release", tag->release}, {"instance", one.id}});
  }
  if (app.live) app.live->periodic = periodic_files(*app.manifest);
  if (app.trial) {
    const auto of = co_await app.read_manifest(app.slots.slot(app.trial->slot).release);
    if (of) app.trial->periodic = periodic_files(*of);
  }
  app.tend_leaving();
  co_return Status();
}

proto::awaitable<void> run_app(App& app) {
  proto::Clock& clock = app.device.ports.clock;
  while (!app.device.stopping) {
    const Status adopted = co_await adopt(app);
    if (adopted) break;
    proto::log_error("app.not_adopted", {{"app", app.name}, {"why", adopted.error().what}});
    co_await proto::sleep_ms(clock, kStartRetryMs);
  }
  --app.device.unadopted;
  while (!app.device.stopping) {
    if (app.wish.app().empty()) co_await supersede(app);  // nobody waits for how it ends
    const bool wanted = !app.wish.app().empty() && !app.wish_done();
    if (wanted) co_await pursue(app);
    if (app.device.stopping) break;
    const Deadline wake = co_await tick(app);
    const bool newer = !app.wish.app().empty() && !app.wish_done();
    if (newer || app.device.stopping || wake.passed(clock)) continue;
    co_await app.changed.wait(wake);
  }
  co_await app.live_probe.stop();
}

}  // namespace agent
