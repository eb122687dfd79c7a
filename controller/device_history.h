// What devices measured, for the plots of a page: every sample of the last hour in memory, and of
// each ten minutes the worst and the mean in the store, for a day. A controller that is killed
// forgets the minutes that were not over.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "controller/store.h"
#include "fleet/v1/api.pb.h"
#include "fleet/v1/link.pb.h"
#include "proto/async.h"

namespace controller {

inline constexpr std::int64_t kHistoryInterval_ms = 20 * 1000;
inline constexpr std::size_t kHistorySamples = 180;  // an hour: 6 KiB for a device with two apps
inline constexpr int kHistoryApps = 16;
/// A row for ten minutes of each device: a thousand devices are one transaction a minute.
inline constexpr std::int64_t kSpan_ms = 10 * 60 * 1000;
inline constexpr std::int64_t kSpansKept_ms = 24LL * 60 * 60 * 1000;
/// About 30 MiB; a day of a thousand devices, two hours of ten thousand.
inline constexpr std::int64_t kSpanRows = 150'000;

class DeviceHistory {
 public:
  DeviceHistory(proto::Clock& clock, Store& store) : clock_(clock), store_(store) {}  // outlive it
  DeviceHistory(const DeviceHistory&) = delete;
  DeviceHistory& operator=(const DeviceHistory&) = delete;

  /// Keeps it, unless the device's last sample is younger than the interval.
  void add(const std::string& device_id, const fleet::v1::Telemetry& facts);
  /// Oldest first: spans of the last day up to the first sample that is in memory, then samples.
  Result<fleet::v1::DeviceHistory> of(const std::string& device_id) const;
  /// Its rows grow old with the others.
  void forget(const std::string& device_id) { devices_.erase(device_id); }

  /// Stores spans that are over, a few hundred at most; whoever calls it does so every second.
  Status save_some();
  /// Stores all, also those that are not over: the controller stops.
  Status save_all();

 private:
  struct App {
    std::uint32_t name = 0;  // in names
    std::uint32_t memory_kib = 0;
    std::uint16_t cpu_permille = 0;
    bool healthy = false;
  };
  struct Sample {
    std::int64_t at_ms = 0;  // Unix ms
    std::uint32_t free_kib = 0;
    std::vector<App> apps;
  };
  struct Device {
    std::vector<std::string> names;
    std::deque<Sample> samples;
    std::int64_t saved_until_ms = 0;  // samples before it are in stored spans
  };

  static fleet::v1::HistorySample to_api(const Device& device, const Sample& sample);
  /// Of its samples before `until_ms` that are in no stored span, oldest first.
  static std::vector<fleet::v1::HistorySample> spans_of(const Device& device,
                                                        std::int64_t until_ms);
  Status save(std::int64_t until_ms, std::size_t most);

  proto::Clock& clock_;
  Store& store_;
  std::map<std::string, Device> devices_;
  std::int64_t saved_until_ms_ = 0;  // all devices' spans before it are stored
  std::string cursor_;               // devices up to this one have theirs before the next end, too
};

}  // namespace controller
