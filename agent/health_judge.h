// HealthJudge: from single probes to a verdict. Pure: no clock, no socket; times come in.
// It never forgets that a guest which exited is judged elsewhere (agent/update, agent/supervise).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "fleet/v1/app.pb.h"
#include "proto/limits.h"

namespace agent {

/// One probe, for the health trace.
struct ProbeResult {
  bool passed = false;
  std::uint64_t took_ms = 0;
  std::string text;  // "dns answered in 4 ms" or why not
  bool answered = false;  // by the guest, rightly or not
  std::uint64_t at_ms = 0;  // it began so long after the guest
};

enum class Verdict {
  undecided,   // still becoming healthy, or healthy with too few failures in a row
  healthy,     // passed `healthy_after` times in a row; given once
  no_answer,   // not healthy before the deadline; given once
  unhealthy,   // failed `unhealthy_after` times in a row after it was healthy
};

/// Judges one instance from its start on. A value.
class HealthJudge {
 public:
  /// `deadline_ms` counts from the start; an adopted trial gives what is left of it.
  HealthJudge(const fleet::v1::Health& health, std::uint64_t deadline_ms);

  /// One probe ended, `elapsed_ms` after the start.
  Verdict on_probe(const ProbeResult& probe, std::uint64_t elapsed_ms);
  /// Time passed without a probe.
  Verdict on_time(std::uint64_t elapsed_ms);
  /// It was healthy before the agent restarted: no deadline any more.
  void adopt_healthy();

  bool healthy() const { return healthy_; }
  /// How long to wait before the next probe.
  std::uint64_t wait_ms() const;
  std::uint32_t passed() const { return passed_; }
  std::uint32_t total() const { return total_; }
  std::uint32_t in_a_row() const { return passes_in_a_row_; }
  std::uint64_t deadline_ms() const { return deadline_ms_; }
  /// The last kFlightProbes.
  const std::deque<ProbeResult>& trace() const { return trace_; }
  /// The text of the last probe that failed, "" if none did.
  const std::string& last_failure() const { return last_failure_; }
  /// True if the last probe that failed got an answer, and not the one that was wanted.
  bool answers_wrongly() const { return answers_wrongly_; }

 private:
  std::uint64_t start_interval_ms_;
  std::uint64_t interval_ms_;
  std::uint32_t healthy_after_;
  std::uint32_t unhealthy_after_;
  std::uint64_t deadline_ms_;
  bool healthy_ = false;
  bool ended_ = false;  // no_answer was given
  std::uint32_t passed_ = 0;
  std::uint32_t total_ = 0;
  std::uint32_t passes_in_a_row_ = 0;
  std::uint32_t failures_in_a_row_ = 0;
  std::deque<ProbeResult> trace_;
  std::string last_failure_;
  bool answers_wrongly_ = false;
};

}  // namespace agent
