// World: a controller, its operator and many devices on one thread in virtual time, from one seed.
// It goes through a storm of faults and orders, then everything is mended and it must come to rest
// in agreement. The first broken rule ends it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/controller.h"
#include "tests/sim/device.h"
#include "tests/sim/operator.h"
#include "tests/sim/random.h"
#include "tests/sim/rules.h"
#include "tests/sim/trace.h"
#include "tests/sim/wire.h"
#include "tests/unit/agent/fakes.h"

namespace sim {

/// Devices have one of two sites.
inline constexpr const char* kSiteLabel = "site";
inline constexpr const char* kRingLabel = "ring";
inline constexpr const char* kRing = "canary";

/// What can go wrong beside the network. Chances in thousandths.
struct Faults {
  unsigned fetch_fails = 0;  // per request
  unsigned fetch_cut = 0;    // per blob
};

struct WorldOptions {
  std::uint64_t seed = 1;
  std::size_t devices = 4;
  bool print = false;
  bool calm = false;                  // no faults, good releases alone
  std::int64_t storm_ms = 0;          // 0: by the seed
};

struct Outcome {
  std::string broken;                 // "" when every rule held
  std::uint64_t hash = 0;             // of the story
  std::uint64_t lines = 0;
  std::int64_t virtual_ms = 0;
  std::string tail;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Outcome run();

  // For the parts of the world.
  /// Runs what is ready now; no time passes.
  void turn();
  /// Calls it between two events, `ms` from now. later(): as soon as possible.
  void after(std::int64_t ms, std::function<void()> act);
  void later(std::function<void()> act) { acts_.push_back(std::move(act)); }
  void someone_died(Device& device);
  Wire::Watch watch(Device& device);
  void retire(std::unique_ptr<Wire> wire) { retired_.push_back(std::move(wire)); }
  void before_death(Device& device) { rules.before_death(device); }
  void check_started(Device& device, const agent::GuestTag& tag, const ota::Sha256& kernel) {
    rules.started(device, tag, kernel);
  }
  void check_open_failed(Device& device, const proto::Error& error) {
    rules.open_failed(device, error);
  }

  const WorldOptions options;
  Random random;
  boost::asio::io_context loop{1};
  tests::SimClock clock{loop};
  Trace trace;
  Faults faults;
  Weather weather;
  std::map<std::uint64_t, tests::Script> scripts;  // by release
  std::uint32_t down_per_site = 0;                 // of every push; 0: no budget
  Rules rules;
  Operator staff;
  Controller controller;
  std::vector<std::unique_ptr<Device>> devices;

 private:
  bool run_until(const std::function<bool()>& done, std::int64_t limit_ms);
  void come_to_rest();
  void push_once_more();
  void perform_acts();
  void log_message(Device& device, Wire::Way way, const fleet::v1::Envelope& envelope);

  bool sweep();

  std::int64_t swept_ms_ = 0;
  std::vector<std::function<void()>> acts_;
  std::vector<std::unique_ptr<Wire>> retired_;
};

}  // namespace sim
