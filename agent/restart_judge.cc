#include "agent/restart_judge.h"

#include <algorithm>

namespace agent {
namespace {

// A signed manifest has its defaults filled in; these keep a hand-made one from spinning.
constexpr std::uint64_t kLeastBackoffMs = 10;

}  // namespace

RestartJudge::RestartJudge(const fleet::v1::Restart& rules)
    : rules_(rules), next_wait_ms_(std::max(rules.backoff_ms(), kLeastBackoffMs)) {
  rules_.set_backoff_ms(next_wait_ms_);
  rules_.set_backoff_max_ms(std::max(rules.backoff_max_ms(), next_wait_ms_));
}

RestartDecision RestartJudge::on_end(bool failed, std::uint64_t now_ms) {
  using Kind = RestartDecision::Kind;
  if (rules_.policy() == fleet::v1::NEVER) return {Kind::leave, 0};
  if (rules_.policy() == fleet::v1::ON_FAILURE && !failed) return {Kind::leave, 0};
  ++restarts_;
  ends_ms_.push_back(now_ms);
  while (!ends_ms_.empty() && now_ms - ends_ms_.front() > rules_.crash_loop_window_ms()) {
    ends_ms_.pop_front();
  }
  if (rules_.crash_loop_count() > 0 && ends_ms_.size() >= rules_.crash_loop_count()) {
    ends_ms_.clear();
    return {Kind::crash_loop, rules_.backoff_max_ms()};
  }
  const std::uint64_t wait_ms = next_wait_ms_;
  next_wait_ms_ = std::min(next_wait_ms_ * 2, rules_.backoff_max_ms());
  return {Kind::restart, wait_ms};
}

void RestartJudge::on_healthy_for(std::uint64_t ran_ms) {
  if (ran_ms >= rules_.backoff_max_ms()) next_wait_ms_ = rules_.backoff_ms();
}

}  // namespace agent
