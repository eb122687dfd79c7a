#include "agent/update.h"

#include "agent/flight.h"
#include "agent/supervise.h"
#include "agent/update_steps.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr std::int64_t kCommitRetryMs = 1000;

// Ends an attempt that touched no slot.
proto::awaitable<void> give_up(Update& update, Error error) {
  App& app = update.app;
  update.end_step();
  if (app.device.stopping || error.code == Code::cancelled) {
    update.paused = true;
    co_return;
  }
  app.device.let_go(app.name);
  if (error.code == Code::no_space) {
    // What came of this release gives its room to the report.
    const Status freed = co_await app.device.make_room();
    if (!freed) proto::log_warning("blobs.not_collected", {{"why", freed.error().what}});
  }
  const bool superseded = error.code == Code::superseded;
  // What is held waits for a person, who sets a value; the release itself is as good as before.
  const fleet::v1::DeviceState end = superseded             ? fleet::v1::SUPERSEDED
                                     : update.held_by_values ? fleet::v1::HELD
                                                             : fleet::v1::FAILED;
  ReportDraft draft = update.draft(end);
  draft.ends_wish = !superseded;
  draft.why.set_code(static_cast<fleet::v1::Code>(error.code));
  draft.why.set_text(error.what);
  draft.why.set_fingerprint("");
  const std::string attempt = update.wish.attempt();
  const App::Verb drop = [&app, attempt](ota::Transaction& tx) -> Result<ota::AppSlots> {
    TRY_VOID(ota::Slots::drop_candidate(tx, app.name, attempt));
    return ota::Slots::read(tx.database(), app.name);
  };
  while (!app.device.stopping) {
    const Status moved = app.move(drop, draft);
    if (moved) break;
    proto::log_error("report.not_stored", {{"app", app.name}, {"why", moved.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, kCommitRetryMs);
  }
}

// Takes the trial back: beyond its commit (P4) the device has decided, whatever happens to it.
proto::awaitable<void> revert(Update& update, Error error) {
  App& app = update.app;
  if (app.device.stopping || error.code == Code::cancelled) co_return;
  update.begin("revert");
  const bool superseded = error.code == Code::superseded;
  const bool first = !app.slots.live;
  const auto state = superseded ? fleet::v1::SUPERSEDED
                     : first    ? fleet::v1::FAILED
                                : fleet::v1::REVERTED;
  ReportDraft draft = update.draft(state);
  draft.ends_wish = !superseded;
  if (superseded) {
    draft.why.set_code(static_cast<fleet::v1::Code>(error.code));
    draft.why.set_text(error.what);
  } else {
    const auto wall_ms = static_cast<std::uint64_t>(app.device.ports.clock.wall_ms());
    draft.flight = update.flight.has_why() ? update.flight
                                           : flight_without_guest(update.wish, error, wall_ms);
    draft.flight->set_outcome(first ? fleet::v1::FLIGHT_FIRST_FAILED
                                    : fleet::v1::FLIGHT_TRIAL_FAILED);
    draft.why = draft.flight->why();
  }
  draft.detail = first ? "first release here: nothing to go back to, the app is stopped"
                       : "runs " + app.name + " " +
                             std::to_string(app.slots.live_slot()->release.release);
  const std::string attempt = update.wish.attempt();
  const App::Verb verb = [&app, attempt, error](ota::Transaction& tx) {
    return ota::Slots::revert(tx, app.name, attempt, error.code, error.what);
  };
  while (!app.device.stopping) {
    const Status moved = app.move(verb, draft);
    if (moved || moved.error().code == Code::not_found) break;
    proto::log_error("revert.not_stored", {{"app", app.name}, {"why", moved.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, kCommitRetryMs);
  }
  if (app.trial) {
    app.send_console(*app.trial);
    app.leave(std::move(*app.trial), 0);
    app.trial.reset();
  }
  app.hold_live = false;
  app.tend_leaving();
}

proto::awaitable<void> run_steps(Update& update) {
  App& app = update.app;
  Status done;
  if (!app.slots.trial()) {
    // admit: is it signed, listed, new, known and fit for this device? Nothing here changes.
    update.begin("admit");
    done = co_await admit(update);
    if (!done) co_return co_await give_up(update, done.error());

    // fetch: only the blobs that are not here; what came before a break is gone on with.
    update.begin("fetch");
    done = co_await fetch_blobs(update);
    if (!done) co_return co_await give_up(update, done.error());

    // stage: the verified bytes get their names, the candidate its record.
    update.begin("stage");
    done = co_await stage(update);
    if (!done) co_return co_await give_up(update, done.error());
    // Beyond this point (P2) the candidate survives a power cut; no slot was touched.
    co_await update.end_keeping();
    if (update.stage_only()) co_return;

    // arm: its volumes are made, with all their room; the candidate takes the spare slot on trial.
    update.begin("arm");
    done = co_await arm(update);
    if (!done) co_return co_await give_up(update, done.error());
    // Beyond this point (P3) the attempt ends by confirm or revert, also after a power cut.
  } else {
    co_await update.end_keeping();
    done = co_await resume(update);
    if (!done) co_return co_await revert(update, done.error());
  }

  do {
    // start: one try is taken away first; then the guest starts from bytes hashed once more.
    update.begin("start");
    done = co_await start_trial(update);
    if (!done) co_return co_await revert(update, done.error());

    // probe: until it was healthy often enough in a row, or ended, or the deadline came.
    update.begin("probe");
    done = co_await probe_trial(update);
    // A launcher that died took the guest along: no fault of the release.
  } while (!done && may_start_again(update));
  if (!done) co_return co_await revert(update, done.error());

  // confirm: the slot is good and live, and under watch.
  update.begin("confirm");
  done = co_await confirm(update);
  if (!done) co_return co_await revert(update, done.error());
  // Beyond this point (P4) the new release is what this device runs, after any restart too.

  // switch: published ports follow the live slot; new flows go to the new instance.
  update.begin("switch");
  switch_over(update);

  // drain: established TCP connections stay with the old instance for a while, then it stops.
  update.begin("drain");
  drain(update);
}

}  // namespace

proto::awaitable<void> run_update(App& app) {
  Update update(app);
  app.busy = app.slots.trial() ? fleet::v1::TRIAL : fleet::v1::WAITING;
  const std::string key = update.key;
  auto given_up = [&app, key] { return app.superseded(key); };
  update.keep_live_meanwhile();
  app.device.expect_hold(app.name);
  const bool turn = co_await app.device.take_turn(given_up);
  if (turn) co_await run_steps(update);
  co_await update.end_keeping();
  if (turn) app.device.end_turn();
  // What came of a download that waits for its window is gone on with.
  if (!update.paused) app.device.let_go(app.name);
  app.busy.reset();
}

proto::awaitable<void> supersede(App& app) {
  const auto slot = app.slots.trial();
  const bool candidate = app.slots.candidate.has_value();
  if (!slot && !candidate) co_return;
  const ota::ReleaseRecord record =
      slot ? app.slots.slot(*slot).release : *app.slots.candidate;
  ReportDraft draft = app.draft(fleet::v1::SUPERSEDED, record.release);
  draft.wish.set_attempt(record.attempt);
  draft.why.set_code(fleet::v1::CODE_SUPERSEDED);
  const char* why = app.wish.app().empty() ? "it is not wanted any more" : "a newer wish came";
  draft.why.set_text(why);
  const bool on_trial = slot.has_value();
  const App::Verb verb = [&app, record, on_trial,
                          why](ota::Transaction& tx) -> Result<ota::AppSlots> {
    if (on_trial) {
      return ota::Slots::revert(tx, app.name, record.attempt, Code::superseded, why);
    }
    TRY_VOID(ota::Slots::drop_candidate(tx, app.name, record.attempt));
    return ota::Slots::read(tx.database(), app.name);
  };
  const Status moved = app.move(verb, draft);
  if (!moved) {
    proto::log_error("supersede.failed", {{"app", app.name}, {"why", moved.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, kCommitRetryMs);
    co_return;
  }
  if (app.trial) {
    app.leave(std::move(*app.trial), 0);
    app.trial.reset();
  }
  app.hold_live = false;
  app.tend_leaving();
}

}  // namespace agent
