// A rollout of many devices as the terminal shows it: a row per wave, and its faults, each as one
// (UX.md). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/v1/api.pb.h"

namespace fleetctl {

/// Up to so many devices each has a row of its own.
inline constexpr int kDevicesInRows = 20;

/// in     now_ms: wall time at the controller
std::vector<std::string> wave_table(const fleet::v1::Rollout& rollout, std::uint64_t now_ms);

/// "  37 devices  image: same fault a41c09f2: no answer ...", those of most devices first.
std::vector<std::string> fault_lines(const fleet::v1::Rollout& rollout);

/// Where the whole of it stands beside what its devices do: "paused by ana: ...", "wave 2 of 4
/// opens in 9m", why it is stopped; "" when there is nothing to say.
std::string course_line(const fleet::v1::Rollout& rollout, std::uint64_t now_ms);

/// "waves 1, 30, 150, 300 · soak 10m · stop above 2% failed (min 5) · then back · at least 30m"
std::string policy_text(const fleet::v1::RolloutPolicy& policy, std::uint64_t devices);

}  // namespace fleetctl
