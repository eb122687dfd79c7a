// Cables between bridges, laid when nothing forwards and taken away before something does.
#include "agent/launcher/bypasses.h"

#include <algorithm>
#include <utility>

#include "agent/launcher/policy.h"
#include "agent/launcher/system.h"

namespace launcher {
namespace {

using proto::Status;

constexpr std::uint64_t kRetryMs = 1000;

bool contains(const std::vector<BridgePair>& pairs, const BridgePair& pair) {
  return std::find(pairs.begin(), pairs.end(), pair) != pairs.end();
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool is_cable_name(const std::string& name, const std::string& tap_prefix) {
  const std::string begin = tap_prefix + "b";
  if (!name.starts_with(begin) || name.size() < begin.size() + 3) return false;
  const std::string number = name.substr(begin.size(), name.size() - begin.size() - 2);
  return number.find_first_not_of("0123456789") == std::string::npos &&
         (name.ends_with("-0") || name.ends_with("-1"));
}

Status Bypasses::want(std::vector<BridgePair> wanted) {
  TRY_VOID(may_bypass(conf_, wanted));
  wanted_ = std::move(wanted);
  retry_at_ms_ = 0;
  return {};
}

Status Bypasses::lay(const BridgePair& pair) {
  const auto place = std::find(conf_.bypasses.begin(), conf_.bypasses.end(), pair);
  const std::string name =
      conf_.tap_prefix + "b" + std::to_string(place - conf_.bypasses.begin());
  TRY_VOID(links_.make_cable({{name + "-0", name + "-1"}, {pair.first, pair.second}}));
  laid_[pair] = name + "-0";
  log_line("warning", "bypass.laid", "bridges=\"" + to_string(pair) + "\"");
  return {};
}

Status Bypasses::take_away(const BridgePair& pair) {
  const auto found = laid_.find(pair);
  if (found == laid_.end()) return {};
  TRY_VOID(links_.remove(found->second));
  laid_.erase(found);
  log_line("info", "bypass.taken_away", "bridges=\"" + to_string(pair) + "\"");
  return {};
}

Status Bypasses::part(const std::vector<std::string>& bridges) {
  for (const BridgePair& pair : conf_.bypasses) {
    if (!contains(bridges, pair.first) || !contains(bridges, pair.second)) continue;
    if (const Status done = take_away(pair); !done) {
      return done.error().with("taking away the bypass of " + to_string(pair));
    }
  }
  return {};
}

int Bypasses::tend(const std::vector<BridgePair>& forwarded) {
  const std::uint64_t now = now_ms();
  if (now < retry_at_ms_) return static_cast<int>(retry_at_ms_ - now);
  retry_at_ms_ = 0;
  for (const BridgePair& pair : conf_.bypasses) {
    const bool laid = laid_.count(pair) == 1;
    const bool wanted = contains(wanted_, pair) && !contains(forwarded, pair);
    if (laid == wanted) continue;
    const Status done = wanted ? lay(pair) : take_away(pair);
    if (done) continue;
    log_line("error", wanted ? "bypass.not_laid" : "bypass.kept",
             "bridges=\"" + to_string(pair) + "\" why=\"" + done.error().what + "\"");
    retry_at_ms_ = now + kRetryMs;
  }
  return retry_at_ms_ == 0 ? -1 : static_cast<int>(kRetryMs);
}

void Bypasses::remove_all() {
  wanted_.clear();
  retry_at_ms_ = 0;
  tend({});
}

}  // namespace launcher
