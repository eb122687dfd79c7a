// Flights: the flight records that devices sent, one file each, so that a fault can be looked at
// after the device, the release or the controller is gone on. Files are written beside the loop and
// are durable before they are acknowledged. What is in a record is the guest's: never interpreted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fleet/v1/api.pb.h"
#include "ota/disk.h"
#include "proto/async.h"
#include "proto/limits.h"

namespace controller {

using proto::awaitable;
using proto::Result;
using proto::Status;

/// The most records that one answer holds, and about how many bytes.
inline constexpr std::size_t kFlightsInAnswer = 100;
inline constexpr std::size_t kFlightsAnswerBytes = 4 * proto::kMiB;

struct ReceivedFlight {
  std::string device_id;
  fleet::v1::FlightRecord record;  // its bounds were checked
};

struct FlightQuestion {
  std::string app;
  std::string device_id;      // "": of every device
  std::uint64_t release = 0;  // 0: of every release
  std::size_t last = 20;
  std::optional<std::set<std::string>> among{};  // device ids; none: all
};

struct FlightAnswer {
  struct Flight {
    std::string device_id;
    std::int64_t received_ms = 0;  // wall time
    fleet::v1::FlightRecord record;
  };
  std::vector<Flight> flights;                 // newest first
  std::size_t kept = 0;                        // that the question is about
  std::map<std::string, std::size_t> devices;  // fingerprint -> how many devices of the app have it
};

class Flights {
 public:
  /// `disk` is a folder of their own; all of them outlive this. `pool` alone calls the disk.
  Flights(ota::Disk& disk, proto::BlockingPool& pool, proto::Clock& clock,
          std::uint64_t max_bytes = proto::kFlightsBytes);
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  /// Learns what is there, once, before the loop runs. Files that a kill left over and those of
  /// devices that are not known any more go. errors io
  Status open(const std::function<bool(const std::string& device_id)>& is_known);

  /// Whether exactly this was kept before: only the acknowledgement was lost.
  bool holds(const ReceivedFlight& flight) const;
  /// Keeps them all; older ones go by kFlightsPerApp and the cap. One call at a time.
  /// after  survives power loss
  /// errors no_space | io: none of them counts as kept
  awaitable<Status> keep(const std::vector<ReceivedFlight>& batch);
  awaitable<FlightAnswer> find(FlightQuestion question);
  /// The device was removed; what still comes of it is not kept.
  awaitable<void> forget_device(std::string device_id);

 private:
  struct Entry {
    std::int64_t number = 0;  // the wall time when it came; rises, and no two have the same
    std::string id;
    std::uint64_t release = 0;
    std::string fingerprint;
    std::uint64_t size_bytes = 0;
    std::uint32_t count = 0;  // 0: not read since the controller started
  };
  using Key = std::pair<std::string, std::string>;  // app, device id
  struct Place {
    Key key;
    Entry entry;
  };

  static std::string file_name(const Key& key, const Entry& entry);
  static bool read_name(const std::string& name, Place& out);
  Place place_of(const ReceivedFlight& flight);
  /// Adds to the index; names of files that go for it are appended to `gone`.
  void add(Place place, std::vector<std::string>& gone);
  void drop_oldest_of(const Key& key, std::vector<std::string>& gone);
  awaitable<void> remove_files(std::vector<std::string> names);

  ota::Disk& disk_;
  proto::BlockingPool& pool_;
  proto::Clock& clock_;
  const std::uint64_t max_bytes_;
  std::map<Key, std::vector<Entry>> kept_;  // oldest first
  std::map<std::int64_t, Key> by_age_;
  std::uint64_t total_bytes_ = 0;
  std::int64_t last_number_ = 0;
  std::set<std::string> forgotten_;
};

}  // namespace controller
