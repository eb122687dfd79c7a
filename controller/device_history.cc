#include "controller/device_history.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proto/limits.h"

namespace controller {
namespace {

// At once on the loop's thread: some milliseconds.
constexpr std::size_t kSpansAtOnce = 256;

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

std::int64_t span_begin(std::int64_t at_ms) { return at_ms / kSpan_ms * kSpan_ms; }

// Puts a sample into its span: of memory the worst, of CPU the mean.
void merge(fleet::v1::HistorySample& span, const fleet::v1::HistorySample& sample,
           std::map<std::string, std::uint64_t>& counts) {
  span.set_memory_free_bytes(std::min(span.memory_free_bytes(), sample.memory_free_bytes()));
  for (const fleet::v1::AppSample& app : sample.apps()) {
    auto* const known = span.mutable_apps();
    const auto found = std::find_if(known->begin(), known->end(),
                                    [&](const auto& one) { return one.app() == app.app(); });
    const std::uint64_t count = counts[app.app()]++;
    if (found == known->end()) {
      *span.add_apps() = app;
      continue;
    }
    found->set_memory_bytes(std::max(found->memory_bytes(), app.memory_bytes()));
    found->set_healthy(found->healthy() && app.healthy());
    const std::uint64_t sum = found->cpu_permille() * count + app.cpu_permille();
    found->set_cpu_permille(static_cast<std::uint32_t>(sum / (count + 1)));
  }
}

}  // namespace

void DeviceHistory::add(const std::string& device_id, const fleet::v1::Telemetry& facts) {
  const std::int64_t now_ms = clock_.wall_ms();
  Device& device = devices_[device_id];
  // The clock was set back.
  device.saved_until_ms = std::min(device.saved_until_ms, now_ms);
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

fleet::v1::HistorySample DeviceHistory::to_api(const Device& device, const Sample& sample) {
  fleet::v1::HistorySample out;
  out.set_at_ms(static_cast<std::uint64_t>(sample.at_ms));
  out.set_memory_free_bytes(std::uint64_t{sample.free_kib} * proto::kKiB);
  for (const App& app : sample.apps) {
    fleet::v1::AppSample& measured = *out.add_apps();
    measured.set_app(device.names[app.name]);
    measured.set_memory_bytes(std::uint64_t{app.memory_kib} * proto::kKiB);
    measured.set_cpu_permille(app.cpu_permille);
    measured.set_healthy(app.healthy);
  }
  return out;
}

Result<fleet::v1::DeviceHistory> DeviceHistory::of(const std::string& device_id) const {
  fleet::v1::DeviceHistory out;
  out.set_interval_ms(static_cast<std::uint64_t>(kHistoryInterval_ms));
  const auto found = devices_.find(device_id);
  const bool known = found != devices_.end() && !found->second.samples.empty();
  const std::int64_t now_ms = clock_.wall_ms();
  const std::int64_t first_ms = known ? found->second.samples.front().at_ms : now_ms + 1;
  std::vector<std::int64_t> spans;
  for (std::int64_t span = span_begin(now_ms - kSpansKept_ms); span < first_ms; span += kSpan_ms) {
    spans.push_back(span);
  }
  TRY(auto stored, store_.measured(device_id, spans));
  for (fleet::v1::HistorySample& span : stored) *out.add_samples() = std::move(span);
  if (!known) return out;
  for (const Sample& sample : found->second.samples) {
    *out.add_samples() = to_api(found->second, sample);
  }
  return out;
}

std::vector<fleet::v1::HistorySample> DeviceHistory::spans_of(const Device& device,
                                                              std::int64_t until_ms) {
  std::vector<fleet::v1::HistorySample> spans;
  std::map<std::string, std::uint64_t> counts;  // of the newest span's samples, by app
  for (const Sample& sample : device.samples) {
    if (sample.at_ms < device.saved_until_ms || sample.at_ms >= until_ms) continue;
    const auto begin = static_cast<std::uint64_t>(span_begin(sample.at_ms));
    const fleet::v1::HistorySample one = to_api(device, sample);
    if (spans.empty() || spans.back().at_ms() != begin) {
      counts.clear();
      fleet::v1::HistorySample& span = spans.emplace_back();
      span.set_at_ms(begin);
      span.set_memory_free_bytes(one.memory_free_bytes());
    }
    merge(spans.back(), one, counts);
  }
  return spans;
}

Status DeviceHistory::save(std::int64_t until_ms, std::size_t most) {
  Store::Transaction transaction(store_);
  std::vector<Device*> saved;
  std::string cursor = cursor_;
  std::size_t rows = 0;
  auto next = devices_.upper_bound(cursor);
  for (; next != devices_.end() && rows < most; ++next) {
    for (const auto& span : spans_of(next->second, until_ms)) {
      TRY_VOID(store_.add_measured(next->first, span));
      ++rows;
    }
    saved.push_back(&next->second);
    cursor = next->first;
  }
  const bool whole = next == devices_.end();
  if (whole) {
    TRY_VOID(store_.forget_measured(clock_.wall_ms() - kSpansKept_ms, kSpanRows));
  }
  TRY_VOID(transaction.commit());
  for (Device* const device : saved) device->saved_until_ms = until_ms;
  cursor_ = whole ? "" : cursor;
  if (whole) saved_until_ms_ = until_ms;
  return {};
}

Status DeviceHistory::save_some() {
  const std::int64_t until_ms = span_begin(clock_.wall_ms());
  return until_ms == saved_until_ms_ ? Status() : save(until_ms, kSpansAtOnce);
}

Status DeviceHistory::save_all() {
  cursor_.clear();
  return save(clock_.wall_ms() + 1, std::numeric_limits<std::size_t>::max());
}

}  // namespace controller
