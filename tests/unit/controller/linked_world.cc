#include "tests/unit/controller/linked_world.h"

#include <utility>

namespace controller {

LinkedWorld::LinkedWorld() {
  auto disk = ota::RealDisk::open(world.directory / "controller/consoles");
  FLEET_ASSERT(disk.has_value());
  console_disk = std::move(*disk);
  consoles = std::make_unique<Consoles>(*console_disk, world.clock);
  FLEET_ASSERT(world.data->disk->make_directory("flights").has_value());
  disk = ota::RealDisk::open(world.directory / "controller/flights");
  FLEET_ASSERT(disk.has_value());
  flight_disk = std::move(*disk);
  flights = std::make_unique<Flights>(*flight_disk, pool, world.clock);
  sessions = std::make_unique<Sessions>(loop, world.clock, *world.store, *world.fleet,
                                        *consoles, *flights, *world.enrolment);
}

}  // namespace controller
