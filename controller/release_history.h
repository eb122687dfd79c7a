// On how many devices each release of an app ran, and when: read from the records of its rollouts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/store.h"

namespace controller {

inline constexpr std::int64_t kHistoryRollouts = 100;   // the newest; older ones are not looked at
inline constexpr std::size_t kHistoryMoments = 240;     // in an answer
inline constexpr std::size_t kHistoryReleases = 6;      // the newest; the others are not told apart

struct HistoryQuestion {
  std::string app;
  std::vector<std::string> groups{};  // only their devices, and rollouts that reach one; none: all
};

/// The time from `since_ms` to `now_ms`, Unix ms. A device that was removed is left out.
/// errors io
Result<v1::ReleaseHistory> release_history(Store& store, const HistoryQuestion& question,
                                           std::int64_t since_ms, std::int64_t now_ms);

}  // namespace controller
