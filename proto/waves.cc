#include "proto/waves.h"

#include <algorithm>
#include <charconv>

namespace proto {

std::optional<Share> parse_share(std::string_view text) {
  Share share;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, share.number);
  if (error != std::errc() || stop == text.data()) return std::nullopt;
  share.is_percent = stop != end && *stop == '%' && stop + 1 == end;
  if (stop == end) return share;
  if (!share.is_percent || share.number > 100) return std::nullopt;
  return share;
}

std::uint64_t part_of(const Share& share, std::uint64_t devices) {
  if (!share.is_percent) return std::min(share.number, devices);
  return (share.number * devices + 99) / 100;
}

bool is_above(std::uint64_t count, const Share& share, std::uint64_t devices) {
  return share.is_percent ? count * 100 > share.number * devices : count > share.number;
}

fleet::v1::RolloutPolicy policy_of(const fleet::v1::RolloutPolicy& written,
                                   fleet::v1::Strategy asked, std::uint64_t devices) {
  fleet::v1::RolloutPolicy policy = written;
  if (asked != fleet::v1::STRATEGY_UNSPECIFIED) policy.set_strategy(asked);
  if (policy.strategy() == fleet::v1::STRATEGY_UNSPECIFIED) {
    const bool waves = written.waves_size() > 0 || devices > kDevicesAtOnce;
    policy.set_strategy(waves ? fleet::v1::WAVES : fleet::v1::ALL);
  }
  const bool in_waves = policy.strategy() == fleet::v1::WAVES;
  if (!in_waves) {
    policy.clear_waves();
    policy.set_soak_ms(0);
  } else if (policy.waves_size() == 0) {
    for (const char* wave : {"1", "10%", "50%", "100%"}) policy.add_waves(wave);
  }
  if (!policy.has_soak_ms()) policy.set_soak_ms(kSoak_ms);
  if (policy.max_failed().empty()) policy.set_max_failed("2%");
  if (policy.min_finished() == 0) policy.set_min_finished(kMinFinished);
  if (policy.device_deadline_ms() == 0) policy.set_device_deadline_ms(kDeviceDeadline_ms);
  if (policy.on_failure() == fleet::v1::ON_FAILURE_UNSPECIFIED) {
    policy.set_on_failure(in_waves ? fleet::v1::REVERT : fleet::v1::KEEP);
  }
  return policy;
}

std::vector<PlannedWave> plan_waves(const fleet::v1::RolloutPolicy& policy,
                                    std::uint64_t devices) {
  std::vector<PlannedWave> waves;
  std::uint64_t total = 0;
  for (const std::string& text : policy.waves()) {
    const auto share = parse_share(text);
    const std::uint64_t until = share ? part_of(*share, devices) : devices;
    if (until <= total) continue;
    waves.push_back({until - total, share && share->is_percent ? text : ""});
    total = until;
  }
  if (total < devices) waves.push_back({devices - total, waves.empty() ? "" : "100%"});
  return waves;
}

bool comes_before(const WavePlace& one, const WavePlace& other) {
  if (one.online != other.online) return one.online;
  // edge-2 before edge-10.
  if (one.name.size() != other.name.size()) return one.name.size() < other.name.size();
  return one.name < other.name;
}

}  // namespace proto
