// What devices measured in the last hour, for the plots of a page. In memory alone: after a restart
// of the controller it begins anew.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "fleet/v1/api.pb.h"
#include "fleet/v1/link.pb.h"
#include "proto/async.h"

namespace controller {

inline constexpr std::int64_t kHistoryInterval_ms = 20 * 1000;
inline constexpr std::size_t kHistorySamples = 180;  // an hour: 6 KiB for a device with two apps
inline constexpr int kHistoryApps = 16;

class DeviceHistory {
 public:
  explicit DeviceHistory(proto::Clock& clock) : clock_(clock) {}  // outlives it
  DeviceHistory(const DeviceHistory&) = delete;
  DeviceHistory& operator=(const DeviceHistory&) = delete;

  /// Keeps it, unless the device's last sample is younger than the interval.
  void add(const std::string& device_id, const fleet::v1::Telemetry& facts);
  fleet::v1::DeviceHistory of(const std::string& device_id) const;
  void forget(const std::string& device_id) { devices_.erase(device_id); }

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
  };

  proto::Clock& clock_;
  std::map<std::string, Device> devices_;
};

}  // namespace controller
