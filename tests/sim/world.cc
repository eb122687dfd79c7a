#include "tests/sim/world.h"

#include <algorithm>
#include <utility>

#include "tests/sim/storm.h"

namespace sim {

namespace {

constexpr std::int64_t kSweepMs = 5000;
constexpr std::int64_t kRestLimitMs = 60 * 60'000;  // who needs longer does not come to rest
constexpr std::int64_t kStartMs = 5000;

std::string describe(Wire::Way way, const fleet::v1::Envelope& envelope) {
  using fleet::v1::Envelope;
  std::string out = way == Wire::Way::up ? "-> " : "<- ";
  switch (envelope.body_case()) {
    case Envelope::kHello:
      return out + "Hello, generation " + std::to_string(envelope.hello().generation_applied());
    case Envelope::kDesired: {
      out += "Desired " + std::to_string(envelope.desired().generation());
      for (const auto& app : envelope.desired().apps()) {
        out += ", " + app.app() + " " + std::to_string(app.release()) + " " +
               fleet::v1::DesiredRun_Name(app.run()) + " " + app.attempt();
        if (app.fall_back() != 0) out += " falls back to " + std::to_string(app.fall_back());
      }
      return out;
    }
    case Envelope::kReport: {
      const fleet::v1::Report& report = envelope.report();
      return out + "Report " + std::to_string(report.sequence()) + ", " + report.app() + " " +
             std::to_string(report.release()) + " " +
             fleet::v1::DeviceState_Name(report.state()) + " " + report.attempt() + " " +
             report.why().text();
    }
    case Envelope::kAck: return out + "Ack " + std::to_string(envelope.ack().sequence());
    case Envelope::kTelemetry: return out + "Telemetry";
    case Envelope::kLogChunk: return out + "LogChunk";
    case Envelope::kFlightRecord: return out + "FlightRecord";
    case Envelope::kFlightAck: return out + "FlightAck";
    default: return out + "another";
  }
}

}  // namespace

World::World(const WorldOptions& the_options)
    : options(the_options),
      random(the_options.seed),
      trace(clock, the_options.print),
      rules(*this),
      staff(*this),
      controller(*this) {
}

World::~World() {
  for (const auto& device : devices) device->cut_power();
  controller.kill();
  for (const auto& device : devices) {
    if (device->wire != nullptr) device->wire->cut();
    if (device->wire != nullptr) retire(std::move(device->wire));
  }
  for (const auto& wire : retired_) wire->cut();
  turn();
  retired_.clear();
  devices.clear();
}

void World::turn() {
  do {
    loop.restart();
    if (loop.poll_one() == 0) return;
    rules.after_event();
  } while (true);
}

void World::after(std::int64_t ms, std::function<void()> act) {
  auto due = [this, act = std::move(act)] { later(act); };
  clock.call_at(clock.now_ms() + ms, std::move(due));
}

void World::someone_died(Device& device) {
  later([&device] { device.finish_dying(); });
}

void World::perform_acts() {
  while (!acts_.empty()) {
    const auto acts = std::exchange(acts_, {});
    for (const auto& act : acts) act();
  }
  controller.finish_dying();
  std::erase_if(retired_, [](const auto& wire) { return wire->is_over(); });
}

bool World::run_until(const std::function<bool()>& done, std::int64_t limit_ms) {
  const std::int64_t end_ms = clock.now_ms() + limit_ms;
  while (rules.broken().empty()) {
    bool ran = true;
    while (ran) {
      perform_acts();
      loop.restart();
      ran = loop.poll_one() > 0 || !acts_.empty();
      if (ran) rules.after_event();
    }
    if (done()) return true;
    if (!clock.advance(end_ms)) return false;
  }
  return false;
}

Wire::Watch World::watch(Device& device) {
  Wire::Watch out;
  out.said = [this, &device](Wire::Way way, const fleet::v1::Envelope& envelope) {
    if (way == Wire::Way::up) return rules.device_said(device, envelope);
    rules.controller_said(device, envelope);
  };
  out.heard = [&device](Wire::Way way, const fleet::v1::Envelope& envelope) {
    device.tell(describe(way, envelope));
  };
  return out;
}

bool World::sweep() {
  if (clock.now_ms() - swept_ms_ < kSweepMs) return false;
  swept_ms_ = clock.now_ms();
  rules.sweep();
  return true;
}

void World::come_to_rest() {
  std::vector<std::string> unrest;
  const auto at_rest = [&] {
    if (!sweep()) return false;
    staff.accept_ahead();
    unrest = rules.unrest();
    return unrest.empty();
  };
  if (run_until(at_rest, kRestLimitMs) || !rules.broken().empty()) return;
  for (const std::string& line : unrest) trace.tell("UNREST", line);
  rules.fail(nullptr, unrest.empty() ? "nothing happens any more" : unrest.front());
}

// Whatever was, old backups too: the next good release runs everywhere.
void World::push_once_more() {
  if (!rules.broken().empty()) return;
  const std::int64_t number = staff.push("all", {});
  if (number == 0) return rules.fail(nullptr, "the last push is refused");
  come_to_rest();
  if (!rules.broken().empty()) return;
  const auto rollout = controller.headquarters.store->rollout(number);
  const bool good = rollout && *rollout && (*rollout)->state == fleet::v1::ROLLOUT_SUCCEEDED;
  if (!good) rules.fail(nullptr, "the last push, of a good release, does not succeed");
}

Outcome World::run() {
  controller.found();
  for (std::size_t i = 1; i <= options.devices; ++i) {
    devices.push_back(std::make_unique<Device>(*this, "edge-" + std::to_string(i)));
    devices.back()->enrol();
    const auto labelled = controller.headquarters.store->set_label(
        devices.back()->id, kSiteLabel, i % 2 == 0 ? "lyon" : "paris");
    FLEET_ASSERT(labelled.has_value());
  }
  if (random.chance(500)) down_per_site = 1;
  run_until([] { return false; }, kStartMs);

  Storm storm(*this);
  storm.begin();
  const auto keep_sweeping = [this] { return sweep() && false; };
  run_until(keep_sweeping, storm.lasts_ms());
  storm.end();
  come_to_rest();
  push_once_more();
  return {rules.broken(), trace.hash(), trace.lines(), clock.now_ms(), trace.tail()};
}

}  // namespace sim
