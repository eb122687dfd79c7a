#include "deploy/fleetctl/wave_view.h"

#include <algorithm>

#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "proto/cause.h"
#include "proto/units.h"
#include "proto/waves.h"

namespace fleetctl {
namespace {

using fleet::v1::Rollout;
using fleet::v1::RolloutCounts;
using fleet::v1::RolloutWave;

constexpr std::size_t kFaultsShown = 3;
constexpr std::uint64_t kBarWidth = 22;

std::string bar(const RolloutCounts& counts) {
  const std::uint64_t there = counts.devices() - counts.offline();
  const std::uint64_t done = there - counts.waiting() - counts.busy();
  const std::uint64_t full = there == 0 ? 0 : done * kBarWidth / there;
  return std::string(full, '=') + std::string(kBarWidth - full, '-') + "  " +
         std::to_string(there == 0 ? 0 : done * 100 / there) + "%";
}

bool under_way(const Rollout& rollout) {
  return rollout.state() == fleet::v1::ROLLOUT_RUNNING ||
         rollout.state() == fleet::v1::ROLLOUT_PAUSED ||
         rollout.state() == fleet::v1::ROLLOUT_REVERTING;
}

bool is_open(const Rollout& rollout, int index) {
  return static_cast<std::uint32_t>(index) < rollout.wave();
}

std::string took(const Rollout& rollout, int index, std::uint64_t now_ms) {
  const RolloutWave& wave = rollout.waves(index);
  if (!is_open(rollout, index)) {
    if (!under_way(rollout) || !rollout.halted_why().empty()) return "not opened";
    const std::uint64_t soak_ms = rollout.policy().soak_ms();
    const bool next = static_cast<std::uint32_t>(index) == rollout.wave();
    if (next && rollout.soak_until_ms() > now_ms) {
      return "opens in " + age_text(rollout.soak_until_ms() - now_ms);
    }
    return soak_ms > 0 ? "soak " + proto::format_duration_ms(soak_ms) + " before" : "";
  }
  const std::uint64_t end_ms = wave.ended_ms() != 0 ? wave.ended_ms()
                               : !under_way(rollout) ? rollout.ended_ms() : 0;
  if (end_ms == 0) return bar(wave.counts());
  return proto::format_elapsed_ms(end_ms > wave.opened_ms() ? end_ms - wave.opened_ms() : 0);
}

std::string mark(const Rollout& rollout, int index) {
  if (!is_open(rollout, index)) return " ";
  const RolloutCounts& counts = rollout.waves(index).counts();
  if (counts.waiting() + counts.busy() > 0) return "▶";
  return counts.healthy() == 0 && counts.reverted() + counts.failed() + counts.held() > 0 ? "✘"
                                                                                          : "✔";
}

}  // namespace

std::vector<std::string> wave_table(const Rollout& rollout, std::uint64_t now_ms) {
  Table table({"WAVE", "DEVICES", "WAITING", "BUSY", "HEALTHY", "REVERTED", "FAILED", "OFFLINE",
               "TOOK"});
  for (int i = 0; i < rollout.waves_size(); ++i) {
    const RolloutWave& wave = rollout.waves(i);
    const RolloutCounts& counts = wave.counts();
    const auto number = [](std::uint32_t value, const char* header) {
      return pad_left(std::to_string(value), std::string_view(header).size());
    };
    table.add({std::to_string(i + 1) + (wave.share().empty() ? "" : " (" + wave.share() + ")"),
               number(counts.devices(), "DEVICES"), number(counts.waiting(), "WAITING"),
               number(counts.busy(), "BUSY"), number(counts.healthy(), "HEALTHY"),
               number(counts.reverted(), "REVERTED"),
               number(counts.failed() + counts.held(), "FAILED"),
               number(counts.offline(), "OFFLINE"), took(rollout, i, now_ms)},
              mark(rollout, i));
  }
  return table.lines();
}

std::vector<std::string> fault_lines(const Rollout& rollout) {
  std::vector<std::string> lines;
  const auto faults = static_cast<std::size_t>(rollout.faults_size());
  for (std::size_t i = 0; i < std::min(faults, kFaultsShown); ++i) {
    const auto& fault = rollout.faults(static_cast<int>(i));
    const std::string who = fault.devices() == 1 ? visible(fault.device())
                                                 : count_text(fault.devices(), "device");
    const bool same = fault.devices() > 1 && !fault.fingerprint().empty();
    lines.push_back("  " + who + "  " + proto::word_of_cause(fault.cause()) + ": " +
                    (same ? "same fault " + visible(fault.fingerprint()) + ": " : "") +
                    visible(fault.text()));
  }
  if (faults > kFaultsShown) {
    lines.push_back("  and " + count_text(faults - kFaultsShown, "other fault"));
  }
  return lines;
}

std::string course_line(const Rollout& rollout, std::uint64_t now_ms) {
  const std::string id = visible(rollout.id());
  if (rollout.state() == fleet::v1::ROLLOUT_PAUSED) {
    return "▲ paused" +
           (rollout.paused_by().empty() ? ": " + visible(rollout.paused_why())
                                        : " by " + visible(rollout.paused_by())) +
           "   fleetctl rollout resume|abort " + id;
  }
  if (!rollout.halted_why().empty()) {
    return "✘ stopped: " + visible(rollout.halted_why()) +
           (rollout.state() == fleet::v1::ROLLOUT_REVERTING ? "; its devices go back" : "");
  }
  if (rollout.state() == fleet::v1::ROLLOUT_RUNNING && rollout.soak_until_ms() > now_ms) {
    return "  wave " + std::to_string(rollout.wave() + 1) + " of " +
           std::to_string(rollout.waves_size()) + " opens in " +
           age_text(rollout.soak_until_ms() - now_ms);
  }
  return "";
}

std::string policy_text(const fleet::v1::RolloutPolicy& policy, std::uint64_t devices) {
  const std::vector<proto::PlannedWave> waves = proto::plan_waves(policy, devices);
  std::vector<std::string> parts;
  std::vector<std::string> totals;
  std::uint64_t total = 0;
  for (const proto::PlannedWave& wave : waves) {
    total += wave.devices;
    totals.push_back(std::to_string(total));
  }
  if (waves.size() > 1) parts.push_back("waves " + join(totals, ", "));
  const bool soaks = waves.size() > 1 && policy.soak_ms() > 0;
  if (soaks) parts.push_back("soak " + proto::format_duration_ms(policy.soak_ms()));
  parts.push_back("stop above " + policy.max_failed() + " failed (min " +
                  std::to_string(policy.min_finished()) + ")");
  if (policy.on_failure() == fleet::v1::PAUSE) parts.push_back("then pause");
  if (policy.on_failure() == fleet::v1::REVERT) parts.push_back("then back");
  if (policy.has_max_unavailable()) {
    parts.push_back(std::to_string(policy.max_unavailable().count()) + " down per " +
                    visible(policy.max_unavailable().by()));
  }
  if (soaks) {
    parts.push_back("at least " +
                    proto::format_duration_ms(policy.soak_ms() * (waves.size() - 1)));
  }
  return join(parts, " · ");
}

}  // namespace fleetctl
