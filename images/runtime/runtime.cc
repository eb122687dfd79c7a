// From a booted machine to the appliance: config, random seed, network, then the appliance's own
// main. Must never start the network without a seed: TCP would be guessable.
#include <optional>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/net/net.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"
#include "images/runtime/start.h"

namespace images::runtime {
namespace {

Config config;
std::optional<Arena> memory;

constexpr int kExitBadConfig = 1;

void read_config() {
  const auto volume = platform::config_volume();
  if (volume.empty()) {
    print("runtime: no config volume; the host hands it over as the first module (-initrd)");
    platform::exit(kExitBadConfig);
  }
  const ConfigFault fault = config.parse(volume);
  if (!fault.failed()) return;
  print("runtime: config volume, byte ", fault.offset, ": ", fault.what);
  platform::exit(kExitBadConfig);
}

void start_network() {
  for (std::size_t i = 0; i < config.interfaces(); ++i) {
    const InterfaceConfig& interface = config.interface(i);
    if (!interface.present) continue;
    if (!interface.has_mac) {
      print("runtime: config has net", i, " without net", i, ".mac");
      platform::exit(kExitBadConfig);
    }
    if (!platform::net_open(i, interface.mac)) {
      print("runtime: no network device has the address that net", i, ".mac names");
      platform::exit(kExitBadConfig);
    }
  }
  net::start(config);
}

}  // namespace

void start() {
  read_config();
  seed_random(config.seed());
  start_network();
  memory.emplace(platform::free_memory());  // what the network devices left
  platform::exit(appliance_main(config, *memory));
}

void run() {
  for (;;) platform::wait_for_work(net::poll());
}

}  // namespace images::runtime
