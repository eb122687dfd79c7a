// Device: what outlives the agent's process on one device: the disk, the launcher with its guests,
// the clock chip. It can be killed, lose its power, be cut off and begin again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ota/hash.h"
#include "tests/sim/database_files.h"
#include "tests/sim/disk.h"
#include "tests/sim/process.h"
#include "tests/sim/wire.h"

namespace sim {

class World;

/// When the agents were built: before everything that happens.
inline constexpr std::int64_t kBuildTime_s = 1'750'000'000;

class Device {
 public:
  Device(World& world, std::string name);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  World& world;
  const std::string name;
  std::string id;  // as the controller knows it

  /// Brings it into the fleet and switches it on.
  void enrol();
  void switch_on();
  /// kill -9 of the agent; guests run on, and it starts again by itself after `again_ms`.
  void kill_agent(std::int64_t again_ms);
  /// Everything stops; nothing starts by itself.
  void cut_power();
  /// As either, but in the middle of what it does: before the n-th next step of its disk.
  void die_in(std::uint64_t steps, bool by_power, std::int64_t again_ms);
  /// What die_in() planned has come: to be finished outside of its own code.
  void finish_dying();
  /// The launcher was restarted: its guests are gone.
  void restart_launcher();

  bool is_on() const { return on_; }
  Process* process() { return process_.get(); }
  bool is_cut_off() const { return !on_ || partitioned; }
  void tell(std::string_view what);
  void guest_started(const agent::GuestTag& tag, const ota::Sha256& kernel);

  bool partitioned = false;
  bool launcher_away = false;
  std::int64_t wall_offset_ms = 0;
  SimDisk disk;
  tests::Guests guests;
  tests::FakeLauncher launcher;
  tests::FakeMachine machine;
  std::unique_ptr<Wire> wire;  // the newest

 private:
  void start_agent();
  void end_process(bool by_power);
  struct Death {
    bool by_power = false;
    std::int64_t again_ms = 0;
    bool came = false;
  };

  DatabaseFiles files_;
  std::unique_ptr<Process> process_;
  std::optional<Death> death_;
  proto::Clock::TimerId start_timer_ = 0;
  bool on_ = false;
  int boots_ = 0;
};

}  // namespace sim
