// Rules: what must hold in a world whatever happens, and what must be so once it is at rest. They
// look at what is kept (slots, stores, disks, guests), never at what somebody says of it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/app.h"
#include "fleet/v1/link.pb.h"
#include "ota/hash.h"
#include "ota/slots.h"

namespace sim {

class Device;
class World;

inline constexpr const char* kApp = "dns";
inline constexpr const char* kVariable = "zone";  // of each release

class Rules {
 public:
  explicit Rules(World& world) : world_(world) {}

  /// The first rule that was broken; "" while all hold.
  const std::string& broken() const { return broken_; }
  void fail(const Device* device, const std::string& what);

  // What happened.
  /// The operator signed a release with that image; a yanked one stays known.
  void signed_release(std::uint64_t release, const ota::Sha256& image);
  /// That release is to be fetched and verified, and never started.
  void staged_only(std::uint64_t release) { staged_only_.insert(release); }
  /// Something was synced on the device's disk: its records are looked at after this event.
  void touched(Device& device) { touched_.insert(&device); }
  void after_event();
  void controller_said(Device& device, const fleet::v1::Envelope& envelope);
  void device_said(Device& device, const fleet::v1::Envelope& envelope);
  void started(Device& device, const agent::GuestTag& tag, const ota::Sha256& kernel);
  void before_death(Device& device) { look(device); }
  void open_failed(Device& device, const proto::Error& error);
  void controller_started();
  void controller_restored();
  /// Every few seconds: what no event shows.
  void sweep();

  /// What both sides do not agree on, or is left over, one line each. Empty: at rest.
  std::vector<std::string> unrest();

 private:
  struct Known {
    std::uint64_t generation = 0;
    std::uint64_t highest = 0;            // confirmed
    std::uint64_t live = 0;
    std::uint64_t one_back = 0;           // what was live before the highest
    std::string live_attempt;             // whose blobs were hashed
    std::string judged_attempt;           // the last that came on trial or was gone back to
    std::uint64_t acknowledged = 0;       // highest sequence since the last restore
    std::map<std::uint64_t, std::string> reports;  // by sequence: what it said
    std::int64_t crowded_since_ms = -1;
  };
  void look(Device& device);
  /// No push takes more devices of a site than its budget, whatever the controller forgot.
  void check_budget();
  void check_ahead(Device& device, const fleet::v1::Desired& desired);
  void check_yanks(Device& device, const ota::AppSlots& slots);
  void check_bytes(Device& device, const ota::ReleaseRecord& record);
  void find_unrest(Device& device, std::vector<std::string>& out);
  /// What runs has the values that are wanted there, which are those that people set.
  void find_other_values(Device& device, const fleet::v1::DesiredApp& wish,
                         const ota::SlotRecord& live, std::vector<std::string>& out);
  /// Both know of that wish that it ended, or only the device: its word went with an old backup.
  bool ended_there(Device& device, const fleet::v1::DesiredApp& wish);
  void find_leaks(Device& device, const ota::AppSlots& slots, std::vector<std::string>& out);

  World& world_;
  std::map<const Device*, Known> known_;
  std::map<std::uint64_t, std::set<ota::Sha256>> signed_;  // two may sign one number
  std::set<std::uint64_t> staged_only_;
  std::set<Device*> touched_;
  std::string broken_;
};

}  // namespace sim
