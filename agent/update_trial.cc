// The second half of an update: the trial, from its start to confirm and what follows it.
#include <algorithm>
#include <utility>

#include "agent/app_snapshots.h"
#include "agent/spare.h"
#include "agent/supervise.h"
#include "agent/update_steps.h"
#include "proto/document.h"
#include "proto/log.h"

namespace agent {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Result;
using proto::Status;

namespace {

constexpr int kStartTries = 5;      // one second apart: the launcher is away, a volume still held
constexpr int kConfirmTries = 10;   // when the database cannot write

}  // namespace

proto::awaitable<Status> resume(Update& update) {
  App& app = update.app;
  const auto slot = app.slots.trial();
  FLEET_ASSERT(slot.has_value());
  app.busy = fleet::v1::TRIAL;
  CO_TRY(update.manifest, co_await app.read_manifest(app.slots.slot(*slot).release));
  CO_TRY(DeviceFacts facts, device_facts(app));
  facts.live_runs = facts.live_runs || app.slots.live.has_value();
  // What the trial's guest takes is in use already, so memory is no question for a running one.
  if (app.trial && !app.trial->ended()) facts.memory_free_bytes += update.manifest.memory_bytes();
  auto plan = plan_release(update.manifest, facts);
  if (plan) update.plan = std::move(*plan);
  if (app.trial && !app.trial->ended() && !app.live && app.slots.live) {
    update.plan.handover = fleet::v1::STOP_START;  // it was begun so
  }
  co_return Status();
}

namespace {

proto::awaitable<Status> take_try(Update& update, ota::SlotName slot) {
  App& app = update.app;
  if (app.slots.slot(slot).tries_left == 0) {
    // begin_try() would revert it; run_update does, with its report.
    co_return Error{Code::tries_used_up, "the device was stopped in the trial too often", app.name};
  }
  ota::Transaction transaction(app.device.state.database());
  CO_TRY(const ota::TryOutcome outcome,
         ota::Slots::begin_try(transaction, app.name, update.wish.attempt()));
  FLEET_ASSERT(outcome == ota::TryOutcome::start);
  CO_TRY_VOID(transaction.commit());
  co_return app.load();
}

// As they are before the first try; who held one may still be on its way to the end.
proto::awaitable<Status> copy_volumes(Update& update) {
  App& app = update.app;
  for (int tries = 1;; ++tries) {
    const Status copied =
        co_await take_snapshots(app, update.manifest, update.wish.attempt());
    if (copied || copied.error().code != Code::conflict || tries >= kStartTries) co_return copied;
    co_await proto::sleep_ms(app.device.ports.clock, 1000);
    CO_TRY_VOID(update.still_wanted());
  }
}

}  // namespace

proto::awaitable<Status> start_trial(Update& update) {
  App& app = update.app;
  const auto slot = app.slots.trial();
  FLEET_ASSERT(slot.has_value());
  const fleet::v1::Health& health = update.manifest.health();
  if (app.trial && !app.trial->ended()) {  // adopted: it goes on with the rest of its deadline
    const std::uint64_t up = app.up_ms(*app.trial);
    const std::uint64_t all = health.grace_ms() + health.deadline_ms();
    update.judge.emplace(health, all > up ? all - up : 0);
    app.hold_live = update.plan.handover == fleet::v1::STOP_START;
    co_return Status();
  }
  if (app.trial) app.forget(*app.trial);
  app.trial.reset();
  if (update.plan.handover == fleet::v1::STOP_START) {
    app.hold_live = true;
    co_await end_spare(app);
    co_await app.stop_live();
  }
  const auto free_bytes = app.device.ports.machine.memory_free_bytes();
  const std::uint64_t need = update.manifest.memory_bytes() + kMonitorOverheadBytes;
  if (!free_bytes || need > *free_bytes) co_await end_spare(app);
  CO_TRY_VOID(update.still_wanted());
  CO_TRY_VOID(co_await copy_volumes(update));
  CO_TRY_VOID(co_await take_try(update, *slot));
  // Also while the old one is down: it may come up again before the trial is over.
  const bool swaps = update.plan.handover == fleet::v1::SWAP && app.slots.live.has_value();
  for (int tries = 1;; ++tries) {
    const ota::ReleaseRecord record = app.slots.slot(*slot).release;
    auto started = co_await app.start(*slot, record, update.manifest,
                                      swaps ? StartAs::ports_down : StartAs::serving);
    if (started) {
      app.trial = std::move(*started);
      update.judge.emplace(health, health.grace_ms() + health.deadline_ms());
      co_return Status();
    }
    const Code code = started.error().code;
    const bool passes =
        code == Code::launcher || code == Code::timeout || code == Code::conflict;
    if (!passes || tries >= kStartTries) co_return started.error();
    co_await proto::sleep_ms(app.device.ports.clock, 1000);
    CO_TRY_VOID(update.still_wanted());
  }
}

namespace {

// The trial's end by itself, as an error; its reason is kept for the report.
Error trial_ended(Update& update) {
  App& app = update.app;
  update.flight = app.flight(*app.trial, Code::unset, "", &*update.judge);
  const fleet::v1::Reason& why = update.flight.why();
  return Error{static_cast<Code>(why.code()), why.text(), app.name};
}

// It never became healthy: silent, or with answers that are not the wanted one.
Error no_answer(Update& update) {
  App& app = update.app;
  const fleet::v1::Health& health = update.manifest.health();
  const std::string probes = ", " + std::to_string(update.judge->passed()) + " of " +
                             std::to_string(update.judge->total()) + " probes";
  if (update.judge->answers_wrongly()) {
    const std::string what = "wrong answer: " + update.judge->last_failure() + probes;
    update.flight = app.flight(*app.trial, Code::unhealthy, what, &*update.judge);
    return Error{Code::unhealthy, what, app.name};
  }
  std::string what = "no answer";
  if (health.type() == fleet::v1::HEALTH_DNS) what += ": dns " + health.query();
  if (health.type() == fleet::v1::HEALTH_HTTP) what += ": http " + health.path();
  if (health.type() == fleet::v1::HEALTH_ICMP) what += ": icmp echo";
  if (health.type() == fleet::v1::HEALTH_TCP) what += ": tcp " + std::to_string(health.port());
  if (health.type() == fleet::v1::HEALTH_CONSOLE) what += ": console \"" + health.line() + "\"";
  what += probes;
  update.flight = app.flight(*app.trial, Code::no_answer, what, &*update.judge);
  return Error{Code::no_answer, what, app.name};
}

}  // namespace

proto::awaitable<Status> probe_trial(Update& update) {
  App& app = update.app;
  proto::Clock& clock = app.device.ports.clock;
  const std::int64_t began_ms = clock.now_ms();
  const Deadline deadline =
      Deadline::after(clock, static_cast<std::int64_t>(update.judge->deadline_ms()));
  const std::uint64_t up = app.up_ms(*app.trial);
  const std::uint64_t grace = update.manifest.health().grace_ms();
  Deadline next = Deadline::after(clock, static_cast<std::int64_t>(grace > up ? grace - up : 0));
  ProbeRunner probes(app.device.ports.loop, app.device.ports.prober, app.changed);
  Status outcome;
  while (true) {
    outcome = update.still_wanted();
    if (!outcome) break;
    const Deadline other = co_await tick(app);
    FLEET_ASSERT(app.trial.has_value());
    if (app.trial->ended()) {
      outcome = trial_ended(update);
      break;
    }
    if (!probes.under_way() && next.passed(clock)) {
      app.begin_probe(probes, *app.trial, update.manifest);
      next = Deadline::after(clock, static_cast<std::int64_t>(update.judge->wait_ms()));
    }
    const auto elapsed_ms = static_cast<std::uint64_t>(clock.now_ms() - began_ms);
    const auto result = probes.take();
    Verdict verdict = Verdict::undecided;
    if (result) verdict = update.judge->on_probe(*result, elapsed_ms);
    if (verdict == Verdict::undecided) verdict = update.judge->on_time(elapsed_ms);
    if (verdict == Verdict::healthy) break;
    if (verdict == Verdict::no_answer) {
      outcome = no_answer(update);
      break;
    }
    Deadline wake = deadline.sooner(other);
    if (!probes.under_way()) wake = wake.sooner(next);
    if (!wake.passed(clock)) co_await app.changed.wait(wake);
  }
  co_await probes.stop();
  co_return outcome;
}

bool may_start_again(Update& update) {
  const App& app = update.app;
  const auto slot = app.slots.trial();
  const bool lost = slot && app.trial && app.trial->lost;
  if (!lost || app.slots.slot(*slot).tries_left == 0 || !update.still_wanted()) return false;
  proto::log_warning("trial.lost", {{"app", app.name},
                                    {"instance", app.trial->id},
                                    {"tries_left", app.slots.slot(*slot).tries_left}});
  update.flight.Clear();
  update.end_step();
  return true;
}

namespace {

ReportDraft healthy_draft(Update& update) {
  const std::string& attempt = update.wish.attempt();
  const bool owes = !attempt.empty() && update.app.row.uplink == attempt;
  ReportDraft draft = update.draft(owes ? fleet::v1::TRIAL : fleet::v1::HEALTHY);
  draft.ends_wish = !owes;  // else with the link (agent/uplink)
  const fleet::v1::Health& health = update.manifest.health();
  draft.detail = (owes ? "waits for its link to the controller; " : "") +
                 proto::word_of(health.type()) + " " +
                 std::to_string(update.judge->in_a_row()) + "/" +
                 std::to_string(health.healthy_after());
  const auto& trace = update.judge->trace();
  const bool network = health.type() != fleet::v1::HEALTH_PROCESS &&
                       health.type() != fleet::v1::HEALTH_CONSOLE;
  if (network && !trace.empty()) {
    draft.detail += " in " + std::to_string(trace.back().took_ms) + " ms";
  }
  if (!update.delta_note.empty()) draft.detail += ", " + update.delta_note;
  return draft;
}

}  // namespace

proto::awaitable<Status> confirm(Update& update) {
  App& app = update.app;
  update.end_step();
  const ReportDraft draft = healthy_draft(update);
  const App::Verb verb = [&app, &update](ota::Transaction& tx) {
    return ota::Slots::confirm(tx, app.name, update.wish.attempt(),
                               app.device.ports.machine.boot_time());
  };
  Status moved;
  for (int tries = 1; tries <= kConfirmTries; ++tries) {
    moved = app.move(verb, draft);
    if (moved) co_return moved;
    proto::log_error("confirm.not_stored", {{"app", app.name}, {"why", moved.error().what}});
    co_await proto::sleep_ms(app.device.ports.clock, 1000);
    CO_TRY_VOID(update.still_wanted());
  }
  co_return moved;
}

void switch_over(Update& update) {
  App& app = update.app;
  FLEET_ASSERT(app.trial.has_value());
  if (!app.trial->last.ports_up && app.live && !app.live->ended()) {
    const Status flipped = app.device.ports.launcher.hand_over(app.live->id, app.trial->id);
    app.live->last.ports_up = !flipped;
    app.trial->last.ports_up = flipped.has_value();
    if (!flipped) {  // tick() tries again
      proto::log_error("ports.not_flipped",
                       {{"instance", app.trial->id}, {"why", flipped.error().what}});
    }
  }
  drop_spare(app);  // of the old release
  std::optional<Guest> old = std::exchange(app.live, std::move(app.trial));
  app.trial.reset();
  app.manifest = update.manifest;
  app.judge = update.judge;
  app.live_probe.forget();
  app.restarts.emplace(update.manifest.restart());
  app.restart_at_ms = 0;
  app.leave_ended = false;
  app.hold_live = false;
  app.publish_live();
  if (old) app.leave(std::move(*old), update.manifest.update().drain_ms());
  app.raise_live();
}

void drain(Update& update) {
  App& app = update.app;
  app.tend_leaving();
  update.end_step();
  const ReportDraft draft = healthy_draft(update);
  const Status amended = app.amend(draft);
  if (!amended) proto::log_warning("report.not_amended", {{"why", amended.error().what}});
  app.send_console(*app.live);
}

}  // namespace agent
