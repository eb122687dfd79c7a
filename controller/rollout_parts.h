// What the files of rollout.h share. Not for others.
#pragma once

#include <string>
#include <vector>

#include "controller/rollout.h"

namespace controller::rollout {

// rollout_text.cc
std::string people_number(std::uint64_t number, const char* one, const char* many);
/// "dns 2"; of an order "dns"
std::string subject(const Rollout& rollout);
std::string success_verdict(const Rollout& rollout);
std::string failure_verdict(const Rollout& rollout);
/// "edge-1 reverted: no answer ..."
std::string sentence(const Device& device);

// rollout_counts.cc
/// Each row is in exactly one bucket, of the rollout and of its wave, and its fault is counted.
void count(Rollout& rollout, const v1::RolloutDevice& row);
void uncount(Rollout& rollout, const v1::RolloutDevice& row);
std::uint32_t failed_of(const v1::RolloutCounts& counts);
/// Of the waves that are open.
v1::RolloutCounts open_counts(const Rollout& rollout);

// rollout_course.cc
/// After a failure that was accepted is none any more.
void clamp_accepted(Rollout& rollout);
/// What follows from the counts: a halt, a pause, a soak, the next wave, the verdict.
void advance(Rollout& rollout, std::vector<Action>& actions, std::int64_t now_ms);

}  // namespace controller::rollout
