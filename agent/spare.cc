// It is started with its taps down: it boots and stops before its first byte on the network, so
// that an app is never two apps to the world. That is all the pause it needs. A frozen process
// (SIGSTOP, cgroup freezer) would save nothing more: a guest without work sleeps in poll(), and one
// that was frozen as it booted would boot on at the moment when it is needed.
#include "agent/spare.h"

#include <algorithm>
#include <utility>

#include "agent/admit.h"
#include "proto/log.h"

namespace agent {
namespace {

using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Status;

constexpr std::int64_t kRetryMs = 1000;
// Started and waiting: less than a tenth of a core for so long.
constexpr std::int64_t kSettleMs = 500;
constexpr std::uint64_t kIdlePermille = 100;

bool is_wanted(const App& app) {
  return app.manifest && app.manifest->restart().spare() == fleet::v1::SPARE_WARM &&
         app.slots.live && app.wanted_running() && !app.hold_live && !app.leave_ended;
}

// Whether it runs what is live now, which an update or a way back may have changed.
bool is_of_live(const App& app) {
  const ota::SlotRecord* live = app.slots.live_slot();
  const Guest& guest = *app.spare.guest;
  return live != nullptr && app.slots.live == guest.slot &&
         live->release.release == guest.release && live->release.attempt == guest.attempt;
}

std::int64_t back_off(App& app) {
  if (!app.spare.ends) app.spare.ends.emplace(app.manifest->restart());
  const std::int64_t now = app.device.ports.clock.now_ms();
  const RestartDecision decision =
      app.spare.ends->on_end(true, static_cast<std::uint64_t>(now));
  return now + std::max<std::int64_t>(static_cast<std::int64_t>(decision.wait_ms), 1);
}

void on_spare_end(App& app) {
  const Guest guest = *std::exchange(app.spare.guest, std::nullopt);
  if (app.manifest) app.spare.start_at_ms = back_off(app);
  fleet::v1::FlightRecord flight = app.flight(guest, Code::unset, "", nullptr);
  const fleet::v1::Reason& why = flight.why();
  proto::log_warning("spare.ended", {{"app", app.name},
                                     {"release", guest.release},
                                     {"instance", guest.id},
                                     {"code", proto::name_of(static_cast<Code>(why.code()))},
                                     {"why", why.text()}});
  app.keep_flight(std::move(flight), fleet::v1::FLIGHT_RESTARTED);
  app.forget(guest);
}

// No probe reaches it, so it is judged by what it costs: a guest that boots computes.
void look_at(App& app, Deadline& wake) {
  Spare& spare = app.spare;
  const std::int64_t now = app.device.ports.clock.now_ms();
  if (spare.ready) {
    if (spare.ends) spare.ends->on_healthy_for(app.up_ms(*spare.guest));
    return;
  }
  if (now < spare.looked_ms + kSettleMs) {
    wake = wake.sooner(Deadline{spare.looked_ms + kSettleMs});
    return;
  }
  const std::uint64_t cpu_ms = std::max(spare.guest->last.cpu_ms, spare.cpu_ms);
  const std::uint64_t used_ms = cpu_ms - spare.cpu_ms;
  const auto passed_ms = static_cast<std::uint64_t>(now - spare.looked_ms);
  spare.ready = used_ms * 1000 < passed_ms * kIdlePermille;
  spare.cpu_ms = cpu_ms;
  spare.looked_ms = now;
  if (!spare.ready) return;
  proto::log_info("spare.ready", {{"app", app.name},
                                  {"release", spare.guest->release},
                                  {"instance", spare.guest->id}});
}

proto::awaitable<Status> start_spare(App& app) {
  const fleet::v1::AppManifest manifest = *app.manifest;
  const ota::SlotName slot = *app.slots.live;
  const ota::ReleaseRecord record = app.slots.slot(slot).release;
  CO_TRY(const std::uint64_t free_bytes, app.device.ports.machine.memory_free_bytes());
  if (manifest.memory_bytes() + kMonitorOverheadBytes > free_bytes) {
    co_return Error{Code::no_memory, "too little memory is free", app.name};
  }
  CO_TRY(app.spare.guest, co_await app.start(slot, record, manifest, StartAs::spare));
  app.spare.ready = false;
  app.spare.cpu_ms = 0;
  app.spare.looked_ms = app.device.ports.clock.now_ms();
  co_return Status();
}

}  // namespace

proto::awaitable<void> tend_spare(App& app, Deadline& wake) {
  if (app.spare.guest && app.spare.guest->ended()) on_spare_end(app);
  const bool wanted = is_wanted(app);
  if (app.spare.guest && !(wanted && is_of_live(app))) drop_spare(app);
  if (app.spare.guest) {
    look_at(app, wake);
    co_return;
  }
  const bool live_is_well = app.live && !app.live->ended() && app.judge && app.judge->healthy();
  // A trial has the room to itself; what it becomes gets a spare of its own.
  if (!wanted || !live_is_well || app.slots.trial()) co_return;
  const std::int64_t now = app.device.ports.clock.now_ms();
  if (now >= app.spare.start_at_ms) {
    const Status started = co_await start_spare(app);
    if (started || app.device.stopping) co_return;
    app.spare.start_at_ms = back_off(app) + kRetryMs;
    proto::log_warning("spare.not_started", {{"app", app.name},
                                             {"code", proto::name_of(started.error().code)},
                                             {"why", started.error().what}});
  }
  wake = wake.sooner(Deadline{app.spare.start_at_ms});
}

bool take_over(App& app) {
  if (!app.spare.guest || app.spare.guest->ended() || !is_wanted(app) || !is_of_live(app)) {
    return false;
  }
  const Status up = app.device.ports.launcher.set_ports(app.spare.guest->id, true);
  if (!up) {
    proto::log_error("spare.not_live", {{"app", app.name}, {"why", up.error().what}});
    return false;
  }
  std::optional<Guest> old = std::exchange(app.live, std::exchange(app.spare.guest, std::nullopt));
  app.live->last.ports_up = true;
  app.live->took_over_ms = app.device.ports.machine.boottime_ms();
  const fleet::v1::Health& health = app.manifest->health();
  app.judge.emplace(health, health.grace_ms() + health.deadline_ms());
  app.live_probe.forget();
  app.next_probe_ms = 0;
  app.publish_live();
  app.spare.start_at_ms = app.restart_at_ms;
  proto::log_warning("spare.took_over", {{"app", app.name},
                                         {"release", app.live->release},
                                         {"instance", app.live->id},
                                         {"from", old ? old->id : "-"},
                                         {"address", launcher::to_string(app.live->address)}});
  if (old && old->ended()) {
    app.forget(*old);
  } else if (old) {
    app.leave(std::move(*old), 0);
    app.tend_leaving();
  }
  return true;
}

void drop_spare(App& app) {
  if (!app.spare.guest) return;
  proto::log_info("spare.dropped", {{"app", app.name},
                                    {"release", app.spare.guest->release},
                                    {"instance", app.spare.guest->id}});
  app.leave(std::move(*app.spare.guest), 0);
  app.spare = Spare();
  app.tend_leaving();
}

proto::awaitable<void> end_spare(App& app) {
  if (!app.spare.guest) co_return;
  Guest guest = *std::exchange(app.spare.guest, std::nullopt);
  app.spare = Spare();
  co_await app.stop_now(std::move(guest));
}

}  // namespace agent
