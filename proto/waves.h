// Waves: how a rollout's policy divides its devices, and what a share of them is. Pure arithmetic:
// the controller goes by it, and fleetctl shows the same before anything is signed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/v1/app.pb.h"

namespace proto {

/// Up to so many devices a rollout takes them all at once, unless the manifest says otherwise.
inline constexpr std::uint64_t kDevicesAtOnce = 10;
inline constexpr std::uint64_t kSoak_ms = 10 * 60 * 1000;
inline constexpr std::uint64_t kDeviceDeadline_ms = 10 * 60 * 1000;
inline constexpr std::uint32_t kMinFinished = 5;

/// "3" or "2%".
struct Share {
  std::uint64_t number = 0;
  bool is_percent = false;
};
/// out    nothing when the text is neither, or above 100%
std::optional<Share> parse_share(std::string_view text);

/// How many of `devices` the share is: percentages are rounded up (10% of 5 is 1, and so no share
/// above 0% of somebody is nobody), counts are at most all of them.
std::uint64_t part_of(const Share& share, std::uint64_t devices);
/// Whether `count` is more than the share of `devices`, without any rounding: 1 of 49 is more than
/// 2%, 1 of 50 is not.
bool is_above(std::uint64_t count, const Share& share, std::uint64_t devices);

/// The policy as a rollout of so many devices goes by it, nothing left to a default.
/// in     asked: the strategy of the one who pushes; STRATEGY_UNSPECIFIED: as the manifest says
fleet::v1::RolloutPolicy policy_of(const fleet::v1::RolloutPolicy& written,
                                   fleet::v1::Strategy asked, std::uint64_t devices);

struct PlannedWave {
  std::uint64_t devices = 0;  // of this wave alone, at least 1
  std::string share;          // "10%" as it was written, "" for a count
};
/// The waves of a policy that policy_of() gave. Waves that would add nobody are left out, and what
/// is left after the last one is one more: all devices are in exactly one.
std::vector<PlannedWave> plan_waves(const fleet::v1::RolloutPolicy& policy, std::uint64_t devices);

/// Who is let in first: those that are online, by name; then the others. So the first wave is of
/// devices that can tell.
struct WavePlace {
  bool online = false;
  std::string name;
};
bool comes_before(const WavePlace& one, const WavePlace& other);

}  // namespace proto
