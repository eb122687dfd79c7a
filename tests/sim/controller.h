// Controller: the real parts of a controller as controller/serve wires them, without listeners, on
// disks of the simulation: killed, without power, started again, or restored from a backup.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "controller/console.h"
#include "controller/flights.h"
#include "controller/metrics.h"
#include "controller/sessions.h"
#include "tests/sim/database_files.h"
#include "tests/sim/disk.h"
#include "tests/unit/controller/world.h"

namespace sim {

class Device;
class World;

class Controller {
 public:
  explicit Controller(World& world);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  /// `init`, `serve`, and the operator's first keys.
  void found();
  void start();
  void kill();
  void cut_power();
  /// The next step but n of its database is its last one before the power goes.
  void die_in(std::uint64_t steps);
  void live_on() { disks_.database.live_on(); }
  void fill_disk(bool full) { disks_.database.full = full; }
  void finish_dying();
  void back_up();
  /// What back_up() kept is what is there, whatever happened since.
  void restore();
  bool has_backup() const { return backup_ != nullptr; }

  bool running() const { return running_; }
  /// A device connects.
  std::unique_ptr<proto::Channel> accept(Device& device);
  /// What the device API serves under that path. errors not_found
  proto::Result<std::string> serve_file(const std::string& path);
  std::string root_json();

  controller::Headquarters headquarters;
  std::unique_ptr<controller::Sessions> sessions;
  int restores = 0;

 private:
  struct Disks {
    explicit Disks(Random& random);
    std::array<SimDisk*, 4> all() { return {&database, &blobs, &consoles, &flights}; }
    SimDisk database;
    SimDisk blobs;
    SimDisk consoles;
    SimDisk flights;
  };
  void end(bool by_power);
  static void copy(Disks& from, Disks& to);

  World& world_;
  Disks disks_;
  DatabaseFiles files_;
  std::unique_ptr<Disks> backup_;
  proto::BlockingPool flight_pool_{"flights", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<controller::Consoles> consoles_;
  std::unique_ptr<controller::Flights> flights_;
  controller::Metrics metrics_;
  std::unique_ptr<proto::TaskGroup> tasks_;
  bool running_ = false;
  bool dying_ = false;
};

}  // namespace sim
