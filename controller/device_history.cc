#include "controller/device_history.h"

#include <algorithm>
#include <utility>

#include "proto/limits.h"

namespace controller {
namespace {

std::uint32_t kib(std::uint64_t bytes) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(bytes / proto::kKiB, std::numeric_limits<std::uint32_t>::max()));
}

std::uint32_t index_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<std::uint32_t>(found - names.begin());
  if (found == names.end()) names.push_back(name);
  return index;
}

}  // namespace

void DeviceHistory::add(const std::string& device_id, const fleet::v1::Telemetry& facts) {
  const std::int64_t now_ms = clock_.wall_ms();
  Device& device = devices_[device_id];
  const bool early = !device.samples.empty() && now_ms >= device.samples.back().at_ms &&
                     now_ms - device.samples.back().at_ms < kHistoryInterval_ms;
  if (early) return;
  Sample sample{now_ms, kib(facts.inventory().memory_free_bytes()), {}};
  for (const fleet::v1::AppStatus& app : facts.apps()) {
    if (app.instance().id().empty()) continue;
    if (sample.apps.size() == kHistoryApps || device.names.size() > 4 * kHistoryApps) break;
    const auto permille = std::min<std::uint32_t>(app.instance().cpu_permille(), 65535);
    sample.apps.push_back({index_of(device.names, app.app()), kib(app.instance().memory_bytes()),
                           static_cast<std::uint16_t>(permille), app.instance().healthy()});
  }
  device.samples.push_back(std::move(sample));
  if (device.samples.size() > kHistorySamples) device.samples.pop_front();
}

fleet::v1::DeviceHistory DeviceHistory::of(const std::string& device_id) const {
  fleet::v1::DeviceHistory out;
  out.set_interval_ms(static_cast<std::uint64_t>(kHistoryInterval_ms));
  const auto found = devices_.find(device_id);
  if (found == devices_.end()) return out;
  for (const Sample& sample : found->second.samples) {
    fleet::v1::HistorySample& one = *out.add_samples();
    one.set_at_ms(static_cast<std::uint64_t>(sample.at_ms));
    one.set_memory_free_bytes(std::uint64_t{sample.free_kib} * proto::kKiB);
    for (const App& app : sample.apps) {
      fleet::v1::AppSample& measured = *one.add_apps();
      measured.set_app(found->second.names[app.name]);
      measured.set_memory_bytes(std::uint64_t{app.memory_kib} * proto::kKiB);
      measured.set_cpu_permille(app.cpu_permille);
      measured.set_healthy(app.healthy);
    }
  }
  return out;
}

}  // namespace controller
