// RestartJudge: when a guest that ended is started again, and when it ended too often. Pure.
// It never starts anything and knows no clock: times come in.
#pragma once

#include <cstdint>
#include <deque>

#include "fleet/v1/app.pb.h"

namespace agent {

/// What to do about an end.
struct RestartDecision {
  enum class Kind { restart, leave, crash_loop } kind = Kind::leave;
  std::uint64_t wait_ms = 0;  // restart: the back-off before it
};

/// One app's ends. A value.
class RestartJudge {
 public:
  explicit RestartJudge(const fleet::v1::Restart& rules);

  /// The guest ended at `now_ms` (monotonic). `failed` is false for exit status 0.
  /// A crash loop is `crash_loop_count` ends within the window; the window then starts anew, and
  /// the decision's wait is the longest one, for a caller who must go on.
  RestartDecision on_end(bool failed, std::uint64_t now_ms);
  /// It has run well for a while: the next end waits the shortest time again.
  void on_healthy_for(std::uint64_t ran_ms);
  /// Starts so far that followed an end.
  std::uint32_t restarts() const { return restarts_; }
  void set_restarts(std::uint32_t count) { restarts_ = count; }

 private:
  fleet::v1::Restart rules_;
  std::uint64_t next_wait_ms_;
  std::deque<std::uint64_t> ends_ms_;
  std::uint32_t restarts_ = 0;
};

}  // namespace agent
