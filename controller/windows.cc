#include "controller/windows.h"

#include <date/tz.h>

#include <chrono>
#include <exception>
#include <optional>

#include "proto/units.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::size_t kKnownReleases = 256;
constexpr const char* kNoLabel = "UTC";

// Minutes since the midnight of that zone; none: the zone is not known here.
std::optional<int> minute_of_day(const std::string& zone, std::int64_t now_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> now{std::chrono::milliseconds(now_ms)};
  std::chrono::minutes local = std::chrono::floor<std::chrono::minutes>(now.time_since_epoch());
  if (zone != kNoLabel) {
    try {
      local = std::chrono::floor<std::chrono::minutes>(
          date::locate_zone(zone)->to_local(now).time_since_epoch());
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }
  return static_cast<int>((local % date::days(1)).count());
}

std::string zone_of(const Subject& device) {
  const auto label = device.labels.find(kZoneLabel);
  return label == device.labels.end() ? kNoLabel : label->second;
}

bool is_any(const v1::UpdatePolicy& update) {
  const auto any = [](const std::string& text) { return text.empty() || text == "any"; };
  return any(update.download()) && any(update.apply());
}

// "" is of a manifest from before there were windows.
Result<bool> is_open(const std::string& text, int minute) {
  TRY(const proto::DayWindow window, proto::parse_day_window(text.empty() ? "any" : text));
  return window.holds(minute);
}

}  // namespace

Result<Gate> judge_windows(const v1::UpdatePolicy& update, const Subject& device,
                           std::int64_t now_ms) {
  Gate gate;
  if (is_any(update)) return gate;
  const std::string zone = zone_of(device);
  const auto minute = minute_of_day(zone, now_ms);
  if (!minute) {
    gate.hold_fetch = gate.hold_arm = true;
    gate.text = "its label tz=" + zone + " names no time zone that is known here";
    return gate;
  }
  TRY(const bool may_fetch, is_open(update.download(), *minute));
  TRY(const bool may_arm, is_open(update.apply(), *minute));
  gate.hold_fetch = !may_fetch;
  gate.hold_arm = !may_arm;
  if (!may_fetch) {
    gate.text = "waits for its download window, " + update.download() + " " + zone;
  } else if (!may_arm) {
    gate.text = "waits for its apply window, " + update.apply() + " " + zone;
  }
  return gate;
}

Status check_zone(std::string_view zone) {
  if (minute_of_day(std::string(zone), 0)) return {};
  return Error{Code::bad_argument,
               "label tz: \"" + std::string(zone.substr(0, 40)) +
                   "\" is no time zone; write one of the IANA database, like Europe/Paris",
               kZoneLabel};
}

Result<const v1::UpdatePolicy*> Windows::policy_of(const std::string& app,
                                                   std::uint64_t release) {
  const std::pair key(app, release);
  const auto known = known_.find(key);
  if (known != known_.end()) return &known->second;
  TRY(const auto row, store_.release(app, static_cast<std::int64_t>(release)));
  if (!row) return nullptr;
  if (known_.size() >= kKnownReleases) known_.clear();
  return &known_.emplace(key, row->manifest.update()).first->second;
}

Result<bool> Windows::has_any(const std::string& app, std::uint64_t release) {
  TRY(const v1::UpdatePolicy* policy, policy_of(app, release));
  return policy != nullptr && !is_any(*policy);
}

Result<Gate> Windows::judge(const std::string& app, std::uint64_t release, const Subject& device,
                            std::int64_t now_ms) {
  TRY(const v1::UpdatePolicy* policy, policy_of(app, release));
  if (policy == nullptr) return Gate{};
  return judge_windows(*policy, device, now_ms);
}

}  // namespace controller
