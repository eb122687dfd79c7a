#include "tests/sim/controller.h"

#include <utility>

#include "agent/trust.h"
#include "controller/serve.h"
#include "tests/sim/device.h"
#include "tests/sim/world.h"

namespace sim {

using proto::Code;
using proto::Error;
using proto::Result;

namespace {

constexpr std::uint64_t kPlenty = 1ull << 40;

}  // namespace

Controller::Disks::Disks(Random& random)
    : database(random), blobs(random), consoles(random), flights(random) {
  for (SimDisk* disk : all()) disk->capacity_bytes = kPlenty;
}

Controller::Controller(World& world)
    : headquarters(world.clock),
      world_(world),
      disks_(world.random),
      files_(disks_.database, "controller") {
  headquarters.database = files_.uri("controller.db");
  headquarters.blob_disk = &disks_.blobs;
}

Controller::~Controller() {
  if (running_) kill();
}

void Controller::found() {
  headquarters.found();
  headquarters.set_up_trust();
  headquarters.stop();
  start();
}

void Controller::start() {
  if (running_) return;
  fill_disk(false);  // with a full one it would not start
  for (SimDisk* disk : disks_.all()) disk->revive();
  world_.trace.tell("controller", "starts");
  controller::Headquarters& hq = headquarters;
  hq.start();
  consoles_ = std::make_unique<controller::Consoles>(disks_.consoles, world_.clock);
  flights_ = std::make_unique<controller::Flights>(disks_.flights, flight_pool_, world_.clock);
  const auto opened = flights_->open([&hq](const std::string& device_id) {
    const auto device = hq.store->device(device_id);
    return !device || (*device && !(*device)->revoked);
  });
  FLEET_ASSERT(opened.has_value());
  sessions = std::make_unique<controller::Sessions>(world_.loop, world_.clock, *hq.store,
                                                    *hq.fleet, *consoles_, *flights_,
                                                    *hq.enrolment);
  tasks_ = std::make_unique<proto::TaskGroup>(world_.loop);
  tasks_->spawn("heard", sessions->keep_heard());
  tasks_->spawn("flights", sessions->store_flights());
  tasks_->spawn("consoles", sessions->tend_consoles());
  tasks_->spawn("rollouts", controller::tick_loop(*hq.fleet, world_.clock));
  tasks_->spawn("renewal", controller::renew_loop(*hq.metadata, metrics_, world_.clock));
  running_ = true;
  world_.rules.controller_started();
}

void Controller::end(bool by_power) {
  if (!running_) return;
  running_ = false;
  for (SimDisk* disk : disks_.all()) {
    by_power ? disk->cut_power() : disk->kill();
  }
  for (const auto& device : world_.devices) {
    if (device->wire == nullptr) continue;
    by_power ? device->wire->fall_silent() : device->wire->cut();
  }
  tasks_->close();
  while (sessions->size() > 0) {
    sessions->drop_all();
    world_.turn();
  }
  tasks_->cancel();
  while (tasks_->size() > 0) world_.turn();
  tasks_.reset();
  sessions.reset();
  flights_.reset();
  consoles_.reset();
  headquarters.stop();
  dying_ = false;
}

void Controller::kill() {
  if (running_) world_.trace.tell("controller", "is killed");
  end(false);
}

void Controller::cut_power() {
  if (running_) world_.trace.tell("controller", "loses its power");
  end(true);
}

void Controller::die_in(std::uint64_t steps) {
  if (!running_ || dying_) return;
  disks_.database.die_in(steps, [this] { dying_ = true; });
}

void Controller::finish_dying() {
  if (!dying_) return;
  cut_power();
  world_.after(world_.random.between(100, 30'000), [this] { start(); });
}

void Controller::copy(Disks& from, Disks& to) {
  const auto sources = from.all();
  const auto targets = to.all();
  for (std::size_t i = 0; i < sources.size(); ++i) targets.at(i)->restore(*sources.at(i));
}

void Controller::back_up() {
  world_.trace.tell("controller", "is backed up");
  backup_ = std::make_unique<Disks>(world_.random);
  copy(disks_, *backup_);
}

void Controller::restore() {
  FLEET_ASSERT(backup_ != nullptr && !running_);
  world_.trace.tell("controller", "is restored from its backup");
  copy(*backup_, disks_);
  ++restores;
}

std::unique_ptr<proto::Channel> Controller::accept(Device& device) {
  proto::PeerFacts facts;
  facts.has_certificate = true;
  facts.certificate.common_name = device.id;
  if (device.wire != nullptr) world_.retire(std::move(device.wire));
  device.wire = std::make_unique<Wire>(world_.loop, world_.clock, world_.random, world_.weather,
                                       std::move(facts), world_.watch(device));
  tasks_->spawn("link", sessions->serve(device.wire->take_controller_end()));
  return device.wire->take_device_end();
}

Result<std::string> Controller::serve_file(const std::string& path) {
  const std::string_view metadata = agent::kMetadataPath;
  const std::string_view blobs = agent::kBlobsPath;
  if (path.starts_with(metadata)) {
    TRY(const auto file, headquarters.metadata->file(path.substr(metadata.size())));
    if (!file) return Error{Code::not_found, path, ""};
    return *file;
  }
  FLEET_ASSERT(path.starts_with(blobs));
  const auto digest = ota::Sha256::from_hex(path.substr(blobs.size()));
  FLEET_ASSERT(digest.has_value());
  TRY(const auto file, headquarters.blobs->open(*digest));
  TRY(const std::uint64_t size, ota::size_of(file));
  std::string bytes(size, '\0');
  TRY([[maybe_unused]] const std::size_t got,
      ota::read_at(file, 0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

std::string Controller::root_json() {
  const auto root = headquarters.store->metadata("root");
  FLEET_ASSERT(root.has_value() && root->has_value());
  return **root;
}

}  // namespace sim
