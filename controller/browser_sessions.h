// Sessions of browsers: who logged in with a token holds a cookie instead of it, so that no script
// ever sees the token again. They outlive a restart of the controller; what is stored names neither
// the cookie nor the token. A session has the rights that its token has now, and ends with it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "controller/store.h"
#include "proto/async.h"

namespace controller {

inline constexpr std::int64_t kBrowserSession_ms = 7LL * 24 * 60 * 60 * 1000;
inline constexpr std::size_t kBrowserSessionsKept = 512;  // the ones that end first go
/// Wrong tokens in a minute, after which nobody from there, or nobody at all, may try.
inline constexpr int kLoginFailuresFromOne = 10;
inline constexpr int kLoginFailuresFromAll = 100;
inline constexpr std::int64_t kLoginFailures_ms = 60 * 1000;

class BrowserSessions {
 public:
  /// Both outlive it.
  BrowserSessions(Store& store, proto::Clock& clock) : store_(store), clock_(clock) {}
  BrowserSessions(const BrowserSessions&) = delete;
  BrowserSessions& operator=(const BrowserSessions&) = delete;

  struct Begun {
    std::string cookie;         // the secret, for this browser alone
    std::int64_t until_ms = 0;  // Unix ms
  };
  /// in     token_hash: of a token that is known
  /// errors io | no_space: there is no session
  Result<Begun> begin(const std::string& token_hash);

  struct Found {
    std::string token_hash;
    std::int64_t until_ms = 0;
  };
  /// Nothing when there is no such session, or no more. errors io
  Result<std::optional<Found>> find(std::string_view cookie);
  /// Logs out; one that is unknown is no error. errors io | no_space
  Status end(std::string_view cookie);

  /// What a changing request of this session must say: another site can neither read nor guess it.
  static std::string csrf_of(std::string_view cookie);

  /// Whether a login may be tried from this address now.
  /// errors unavailable (too many wrong tokens: says for how long)
  Status may_try(const std::string& address);
  void count_failure(const std::string& address);

 private:
  struct Failures {
    int count = 0;
    std::int64_t since_ms = 0;  // monotonic

    bool fresh(std::int64_t now_ms) const { return now_ms - since_ms < kLoginFailures_ms; }
    void add(std::int64_t now_ms);
  };

  Status load();
  Status save();

  Store& store_;
  proto::Clock& clock_;
  bool loaded_ = false;
  std::map<std::string, Found> sessions_;  // by the hash of the cookie
  std::map<std::string, Failures> failures_;
  Failures all_failures_;
};

}  // namespace controller
