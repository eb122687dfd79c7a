// Windows: when a release may be fetched and armed on a device, by the time of day where it is.
// The manifest says which (update.download, update.apply), the device's label `tz` says where; the
// controller judges, because a device may not know the time (UX A).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "controller/selector.h"
#include "controller/store.h"

namespace controller {

/// The label that names a device's time zone, as the IANA database does: "Europe/Paris".
inline constexpr const char* kZoneLabel = "tz";

/// What a device may not do now.
struct Gate {
  bool hold_fetch = false;
  bool hold_arm = false;
  std::string text;  // for people, when it may not go on: "waits for 02:00-04:00 Europe/Paris ..."
};

/// Pure. A device without the label lives by UTC; one whose zone is unknown waits, and says so.
/// in     now_ms: Unix ms. errors bad_argument (a window that is none)
Result<Gate> judge_windows(const v1::UpdatePolicy& update, const Subject& device,
                           std::int64_t now_ms);

/// errors bad_argument, naming the label, unless the zone is known here
Status check_zone(std::string_view zone);

/// The windows of releases, read once from the store.
class Windows {
 public:
  explicit Windows(Store& store) : store_(store) {}

  /// True when the release has a window at all. A release that is not known has none.
  Result<bool> has_any(const std::string& app, std::uint64_t release);
  Result<Gate> judge(const std::string& app, std::uint64_t release, const Subject& device,
                     std::int64_t now_ms);

 private:
  Result<const v1::UpdatePolicy*> policy_of(const std::string& app, std::uint64_t release);

  Store& store_;
  std::map<std::pair<std::string, std::uint64_t>, v1::UpdatePolicy> known_;
};

}  // namespace controller
