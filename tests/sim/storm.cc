#include "tests/sim/storm.h"

#include "tests/sim/world.h"

namespace sim {

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMs = 24 * 60 * kMinuteMs;

}  // namespace

Storm::Storm(World& world) : world_(world) {
  Random& random = world.random;
  lasts_ms_ = world.options.storm_ms != 0 ? world.options.storm_ms
                                          : random.between(3, 15) * kMinuteMs;
}

Device& Storm::any_device() {
  return *world_.devices[world_.random.below(world_.devices.size())];
}

void Storm::add(const char* name, std::int64_t every_ms, std::function<void()> strike) {
  const bool drawn = world_.random.chance(400);
  if (!drawn) return;
  world_.trace.tell("storm", std::string("knows ") + name);
  kinds_.push_back({every_ms, std::move(strike)});
}

void Storm::plan(std::size_t kind) {
  world_.after(world_.random.between(1, 2 * kinds_[kind].every_ms), [this, kind] {
    if (over_) return;
    kinds_[kind].strike();
    plan(kind);
  });
}

void Storm::draw_weather() {
  Random& random = world_.random;
  Weather& weather = world_.weather;
  weather.latency_ms = random.between(2, 200);
  if (random.chance(400)) weather.late = static_cast<unsigned>(random.below(100));
  if (random.chance(400)) weather.doubled = static_cast<unsigned>(random.below(200));
  if (random.chance(400)) weather.cut = static_cast<unsigned>(random.below(50));
  if (random.chance(400)) weather.silent = static_cast<unsigned>(random.below(30));
  if (random.chance(400)) world_.faults.fetch_fails = static_cast<unsigned>(random.below(300));
  if (random.chance(400)) world_.faults.fetch_cut = static_cast<unsigned>(random.below(700));
}

void Storm::jump_clock() {
  Device& device = any_device();
  Random& random = world_.random;
  const std::int64_t now_ms = world_.clock.wall_ms();
  switch (random.below(3)) {
    case 0: device.wall_offset_ms = -now_ms; break;                               // 1970
    case 1: device.wall_offset_ms = random.between(1, 3000) * kDayMs; break;      // years ahead
    default: device.wall_offset_ms = random.between(-kDayMs, kDayMs); break;
  }
  device.machine.synchronised = false;
  device.tell("clock jumps by " + std::to_string(device.wall_offset_ms) + " ms");
  world_.after(random.between(1, 20 * kMinuteMs), [&device] {
    device.wall_offset_ms = 0;
    device.machine.synchronised = true;
  });
}

// The wall clocks of all others go on; what happens meanwhile is what the storm brings anyway.
// After it none jumps: a rollout that is going on would be out of its time.
void Storm::offline_for_weeks() {
  Device& device = any_device();
  if (!device.is_on()) return;
  device.cut_power();
  world_.after(world_.random.between(1, 5 * kMinuteMs), [this, &device] {
    const std::int64_t weeks_ms = world_.random.between(1, 4) * 7 * kDayMs;
    if (!over_) {
      world_.trace.tell("storm", "weeks go by");
      world_.clock.wall_base_ms += weeks_ms;
    }
    world_.after(world_.random.between(1, kMinuteMs), [&device] { device.switch_on(); });
  });
}

void Storm::restore_controller() {
  Controller& controller = world_.controller;
  if (!controller.running()) return;
  if (!controller.has_backup() || world_.random.chance(400)) return controller.back_up();
  controller.kill();
  controller.restore();
  world_.rules.controller_restored();
  world_.after(world_.random.between(100, 20'000), [this] { world_.controller.start(); });
}

void Storm::begin() {
  World& world = world_;
  Random& random = world.random;
  bad_releases_ = !world.options.calm && random.chance(600);
  kinds_.push_back({random.between(10, 120) * 1000, [this] { world_.staff.act(bad_releases_); }});
  if (!world.options.calm) {
    draw_weather();
    add("killed agents", random.between(10, 200) * 1000,
        [&] { any_device().kill_agent(random.between(50, 20'000)); });
    add("power cuts", random.between(20, 300) * 1000, [&] {
      Device& device = any_device();
      device.cut_power();
      world.after(random.between(100, 3 * kMinuteMs), [&device] { device.switch_on(); });
    });
    add("deaths in the middle", random.between(5, 60) * 1000, [&] {
      any_device().die_in(1 + random.below(60), random.chance(600), random.between(50, 20'000));
    });
    add("full disks", random.between(30, 300) * 1000, [&] {
      Device& device = any_device();
      device.disk.full = true;
      device.tell("disk is full");
      world.after(random.between(100, 5 * kMinuteMs), [&device] { device.disk.full = false; });
    });
    add("partitions", random.between(20, 300) * 1000, [&] {
      Device& device = any_device();
      device.partitioned = true;
      device.tell("is cut off");
      if (device.wire != nullptr) device.wire->fall_silent();
      world.after(random.between(100, 10 * kMinuteMs), [&device] { device.partitioned = false; });
    });
    add("full controllers", random.between(30, 300) * 1000, [&] {
      world.controller.fill_disk(true);
      world.trace.tell("controller", "has a full disk");
      world.after(random.between(100, 2 * kMinuteMs), [&] { world.controller.fill_disk(false); });
    });
    add("absent launchers", random.between(30, 300) * 1000, [&] {
      Device& device = any_device();
      device.launcher_away = true;
      device.tell("launcher is away");
      world.after(random.between(100, kMinuteMs), [&device] { device.launcher_away = false; });
    });
    add("refused starts", random.between(30, 300) * 1000, [&] {
      any_device().launcher.refused_starts = static_cast<int>(random.between(1, 6));
    });
    add("launcher restarts", random.between(30, 300) * 1000,
        [&] { any_device().restart_launcher(); });
    add("clock jumps", random.between(30, 300) * 1000, [this] { jump_clock(); });
    add("weeks offline", 4 * kMinuteMs, [this] { offline_for_weeks(); });
    add("controller killed", random.between(20, 300) * 1000, [&] {
      world.controller.kill();
      world.after(random.between(50, 30'000), [&] { world.controller.start(); });
    });
    add("controller without power", random.between(20, 300) * 1000,
        [&] { world.controller.die_in(1 + random.below(100)); });
    add("old backups", 2 * kMinuteMs, [this] { restore_controller(); });
  }
  for (std::size_t i = 0; i < kinds_.size(); ++i) plan(i);
}

void Storm::end() {
  over_ = true;
  world_.trace.tell("storm", "is over");
  world_.weather = {};
  world_.faults = {};
  for (const auto& device : world_.devices) {
    device->partitioned = false;
    device->launcher_away = false;
    device->launcher.refused_starts = 0;
    device->disk.full = false;
    device->disk.live_on();
    device->wall_offset_ms = 0;
    device->machine.synchronised = true;
    device->switch_on();
  }
  world_.controller.live_on();
  world_.controller.fill_disk(false);
  world_.controller.start();
}

}  // namespace sim
