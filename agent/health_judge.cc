#include "agent/health_judge.h"

#include <algorithm>

namespace agent {

HealthJudge::HealthJudge(const fleet::v1::Health& health, std::uint64_t deadline_ms)
    : start_interval_ms_(std::max<std::uint64_t>(health.start_interval_ms(), 1)),
      interval_ms_(std::max<std::uint64_t>(health.interval_ms(), 1)),
      healthy_after_(std::max<std::uint32_t>(health.healthy_after(), 1)),
      unhealthy_after_(std::max<std::uint32_t>(health.unhealthy_after(), 1)),
      deadline_ms_(deadline_ms) {}

void HealthJudge::adopt_healthy() { healthy_ = true; }

std::uint64_t HealthJudge::wait_ms() const { return healthy_ ? interval_ms_ : start_interval_ms_; }

Verdict HealthJudge::on_time(std::uint64_t elapsed_ms) {
  if (healthy_ || ended_ || elapsed_ms < deadline_ms_) return Verdict::undecided;
  ended_ = true;
  return Verdict::no_answer;
}

Verdict HealthJudge::on_probe(const ProbeResult& probe, std::uint64_t elapsed_ms) {
  ++total_;
  trace_.push_back(probe);
  if (trace_.size() > proto::kFlightProbes) trace_.pop_front();
  if (!probe.passed) {
    passes_in_a_row_ = 0;
    ++failures_in_a_row_;
    last_failure_ = probe.text;
    answers_wrongly_ = probe.answered;
    if (!healthy_) return on_time(elapsed_ms);
    if (failures_in_a_row_ < unhealthy_after_) return Verdict::undecided;
    failures_in_a_row_ = 0;  // so that it is said once per run of failures
    return Verdict::unhealthy;
  }
  ++passed_;
  ++passes_in_a_row_;
  failures_in_a_row_ = 0;
  if (healthy_) return Verdict::undecided;
  // The pass that completes the row counts even when it ends a little after the deadline's tick;
  // one that began after it does not happen, because on_time() ended the trial.
  if (!ended_ && passes_in_a_row_ >= healthy_after_) {
    healthy_ = true;
    return Verdict::healthy;
  }
  return on_time(elapsed_ms);
}

}  // namespace agent
