#include "controller/browser_sessions.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "ota/hash.h"

namespace controller {
namespace {

constexpr std::string_view kSetting = "browser_sessions";

}  // namespace

void BrowserSessions::Failures::add(std::int64_t now_ms) {
  if (!fresh(now_ms)) *this = Failures{0, now_ms};
  ++count;
}

// A line for each: the cookie's hash, the token's hash, the end in Unix ms.
Status BrowserSessions::load() {
  if (loaded_) return {};
  TRY(const auto text, store_.setting(kSetting));
  std::istringstream lines(text.value_or(""));
  std::string cookie_hash;
  Found session;
  while (lines >> cookie_hash >> session.token_hash >> session.until_ms) {
    sessions_[cookie_hash] = session;
  }
  loaded_ = true;
  return {};
}

Status BrowserSessions::save() {
  std::string text;
  for (const auto& [cookie_hash, session] : sessions_) {
    text += cookie_hash + " " + session.token_hash + " " + std::to_string(session.until_ms) + "\n";
  }
  return store_.set_setting(kSetting, text);
}

Result<BrowserSessions::Begun> BrowserSessions::begin(const std::string& token_hash) {
  TRY_VOID(load());
  const std::int64_t now_ms = clock_.wall_ms();
  std::erase_if(sessions_, [now_ms](const auto& entry) { return entry.second.until_ms <= now_ms; });
  const auto by_end = [](const auto& a, const auto& b) {
    return a.second.until_ms < b.second.until_ms;
  };
  while (sessions_.size() >= kBrowserSessionsKept) {
    sessions_.erase(std::min_element(sessions_.begin(), sessions_.end(), by_end));
  }
  Begun begun{ota::random_token(), now_ms + kBrowserSession_ms};
  const std::string name = ota::hash_token(begun.cookie).hex();
  sessions_[name] = {token_hash, begun.until_ms};
  const Status saved = save();
  if (saved) return begun;
  sessions_.erase(name);
  return saved.error();
}

Result<std::optional<BrowserSessions::Found>> BrowserSessions::find(std::string_view cookie) {
  TRY_VOID(load());
  const auto found = sessions_.find(ota::hash_token(cookie).hex());
  if (found == sessions_.end() || found->second.until_ms <= clock_.wall_ms()) {
    return std::optional<Found>();
  }
  return std::optional(found->second);
}

Status BrowserSessions::end(std::string_view cookie) {
  TRY_VOID(load());
  if (sessions_.erase(ota::hash_token(cookie).hex()) == 0) return {};
  return save();
}

std::string BrowserSessions::csrf_of(std::string_view cookie) {
  return ota::sha256("csrf " + std::string(cookie)).hex();
}

Status BrowserSessions::may_try(const std::string& address) {
  const std::int64_t now_ms = clock_.now_ms();
  const auto found = failures_.find(address);
  const bool from_one = found != failures_.end() && found->second.fresh(now_ms) &&
                        found->second.count >= kLoginFailuresFromOne;
  const bool from_all = all_failures_.fresh(now_ms) && all_failures_.count >= kLoginFailuresFromAll;
  if (!from_one && !from_all) return {};
  return Error{proto::Code::unavailable,
               "too many wrong tokens" + std::string(from_one ? " from " + address : "") +
                   "; try again in a minute", ""};
}

void BrowserSessions::count_failure(const std::string& address) {
  const std::int64_t now_ms = clock_.now_ms();
  // Bounded by what all may fail in a minute.
  std::erase_if(failures_, [now_ms](const auto& entry) { return !entry.second.fresh(now_ms); });
  failures_[address].add(now_ms);
  all_failures_.add(now_ms);
}

}  // namespace controller
