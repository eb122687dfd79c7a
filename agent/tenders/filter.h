// A writer of seccomp filters that allow a few system calls with given arguments and end the
// process for all else. Never weaker than asked: what does not fit makes it fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tenders {

/// A condition on one argument; all 64 bits are compared.
struct Argument {
  enum class Is { equal, at_most };
  unsigned index = 0;  // 0..5
  Is is = Is::equal;
  std::uint64_t value = 0;
};

/// One instruction as the kernel reads it (struct sock_filter).
struct FilterStep {
  std::uint16_t code;
  std::uint8_t if_true;
  std::uint8_t if_false;
  std::uint32_t value;
};
static_assert(sizeof(FilterStep) == 8);

/// How a call that is not allowed ends the process. Both skip the call and end by SIGSYS.
/// kill    at once, whatever the process did to its signals
/// signal  by a forced SIGSYS, so that a tracer sees which call it was. As safe as `kill` for a
///         process that can set no handler: the kernel resets a blocked or ignored SIGSYS to the
///         default, which is its end, before another instruction runs.
enum class Refusal { kill, signal };

class Filter {
 public:
  static constexpr std::size_t kMaxSteps = 4096;  // the kernel's BPF_MAXINSNS

  /// audit_arch: calls of every other architecture are killed.
  explicit Filter(std::uint32_t audit_arch, Refusal refusal = Refusal::kill);

  /// Allow this call if all conditions hold. Put frequent calls first: they are asked in order.
  /// All rules of one call come one after the other, or finish() fails. They share one question for
  /// the number: when a filter is loaded, the kernel runs it once for every call that there is.
  void allow(long call, std::span<const Argument> conditions);
  void allow(long call) { allow(call, std::span<const Argument>()); }
  void allow(long call, const Argument& one) { allow(call, std::span(&one, 1)); }

  /// End it. False: it was too long, or out of order, and must not be used.
  [[nodiscard]] bool finish();

  std::span<const FilterStep> steps() const { return {steps_.data(), count_}; }

 private:
  void add(std::uint16_t code, std::uint32_t value, std::size_t if_true = 0,
           std::size_t if_false = 0);

  void open_group(long call);
  void close_group(bool last_of_call);

  static constexpr std::size_t kMaxCalls = 32;
  std::uint32_t refusal_;  // the kernel's SECCOMP_RET_*
  std::array<FilterStep, kMaxSteps> steps_;
  std::size_t count_ = 0;
  std::array<long, kMaxCalls> calls_;  // that have rules
  std::size_t call_count_ = 0;
  std::size_t group_question_ = 0;     // the step that asks for the number; 0: no group is open
  bool failed_ = false;
};

/// Whether this kernel can filter at all, and knows how to kill a whole process.
[[nodiscard]] bool can_filter();

/// No new privileges for this process from here on. Returns the kernel's answer.
long forbid_new_privileges();

/// Load it for this process, last before foreign code or data. Returns the kernel's answer.
long load_filter(const Filter& filter);

}  // namespace tenders
