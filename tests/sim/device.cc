#include "tests/sim/device.h"

#include <utility>

#include "agent/trust.h"
#include "tests/sim/controller.h"
#include "tests/sim/world.h"

namespace sim {

namespace {

constexpr const char* kDatabase = "agent.db";
constexpr std::int64_t kStartAgainMs = 1000;  // systemd's RestartSec

}  // namespace

Device::Device(World& the_world, std::string the_name)
    : world(the_world),
      name(std::move(the_name)),
      disk(the_world.random),
      launcher(the_world.clock, guests, the_world.scripts),
      machine(the_world.clock),
      files_(disk, name) {
  disk.on_sync = [this] { world.rules.touched(*this); };
}

Device::~Device() {
  if (process_ != nullptr) end_process(false);
}

void Device::tell(std::string_view what) { world.trace.tell(name, what); }

void Device::enrol() {
  id = world.controller.headquarters.enroll(name);
  agent::Trust trust(disk);
  const auto rooted = trust.bootstrap(world.controller.root_json());
  FLEET_ASSERT(rooted.has_value());
  switch_on();
}

void Device::switch_on() {
  if (on_) return;
  on_ = true;
  machine.boot_id = name + "-boot-" + std::to_string(++boots_);
  machine.booted_ms = world.clock.now_ms();
  disk.revive();
  tell("switched on: " + machine.boot_id);
  start_agent();
}

void Device::start_agent() {
  world.clock.cancel(std::exchange(start_timer_, 0));
  if (!on_ || process_ != nullptr) return;
  disk.revive();
  auto state = agent::State::open(files_.uri(kDatabase));
  if (!state) {
    tell("agent.db is not opened: " + state.error().what);
    world.check_open_failed(*this, state.error());
    start_timer_ = world.clock.call_at(world.clock.now_ms() + kStartAgainMs, [this] {
      world.later([this] { start_agent(); });
    });
    return;
  }
  tell("agent starts");
  process_ = std::make_unique<Process>(*this, std::move(*state));
}

void Device::end_process(bool by_power) {
  if (process_ == nullptr) return;
  world.before_death(*this);
  process_->die();
  if (by_power) {
    disk.cut_power();
    if (wire != nullptr) wire->fall_silent();
  } else {
    disk.kill();
    if (wire != nullptr) wire->cut();
  }
  process_->bury([this] { world.turn(); });
  process_.reset();
}

void Device::kill_agent(std::int64_t again_ms) {
  if (process_ == nullptr) return;
  tell("agent is killed");
  end_process(false);
  death_.reset();
  start_timer_ = world.clock.call_at(world.clock.now_ms() + again_ms, [this] {
    world.later([this] { start_agent(); });
  });
}

void Device::cut_power() {
  if (!on_) return;
  tell("power is cut");
  end_process(true);
  death_.reset();
  world.clock.cancel(std::exchange(start_timer_, 0));
  on_ = false;
  guests.instances.clear();
  guests.published.clear();
  ++guests.boot_ms;
}

void Device::die_in(std::uint64_t steps, bool by_power, std::int64_t again_ms) {
  if (process_ == nullptr || death_) return;
  death_ = Death{by_power, again_ms, false};
  disk.die_in(steps, [this] {
    process_->die();
    death_->came = true;
    world.someone_died(*this);
  });
}

void Device::finish_dying() {
  if (!death_ || !death_->came) return;
  const Death death = *std::exchange(death_, std::nullopt);
  if (!death.by_power) return kill_agent(death.again_ms);
  cut_power();
  world.clock.call_at(world.clock.now_ms() + death.again_ms, [this] {
    world.later([this] { switch_on(); });
  });
}

void Device::restart_launcher() {
  tell("launcher is restarted");
  guests.instances.clear();
  guests.published.clear();
  ++guests.boot_ms;
  launcher.hang_up();
}

void Device::guest_started(const agent::GuestTag& tag, const ota::Sha256& kernel) {
  tell("starts " + tag.app + " " + std::to_string(tag.release) + " in " +
       ota::name_of(tag.slot));
  world.check_started(*this, tag, kernel);
}

}  // namespace sim
