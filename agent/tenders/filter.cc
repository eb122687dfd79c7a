#include "agent/tenders/filter.h"

#include <asm/unistd.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "agent/tenders/sys.h"

namespace tenders {
namespace {

static_assert(sizeof(FilterStep) == sizeof(sock_filter));

// Where struct seccomp_data has what; the low half of an argument comes first (little endian).
constexpr std::uint32_t kCallOffset = 0;
constexpr std::uint32_t kArchOffset = 4;
constexpr std::uint32_t argument_low(unsigned index) { return 16 + 8 * index; }
constexpr std::uint32_t argument_high(unsigned index) { return 20 + 8 * index; }

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kGreater = BPF_JMP | BPF_JGT | BPF_K;
constexpr std::uint16_t kAnswer = BPF_RET | BPF_K;

constexpr std::size_t kFarthestJump = 255;

// equal: load, jump, load, jump. at_most: load, jump, jump, load, jump.
std::size_t steps_of(const Argument& condition) {
  return condition.is == Argument::Is::equal ? 4 : 5;
}

}  // namespace

Filter::Filter(std::uint32_t audit_arch, Refusal refusal)
    : refusal_(refusal == Refusal::kill ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_TRAP) {
  add(kLoad, kArchOffset);
  add(kEqual, audit_arch, 1, 0);
  add(kAnswer, SECCOMP_RET_KILL_PROCESS);
}

void Filter::add(std::uint16_t code, std::uint32_t value, std::size_t if_true,
                 std::size_t if_false) {
  if (count_ == steps_.size() || if_true > kFarthestJump || if_false > kFarthestJump) {
    failed_ = true;
    return;
  }
  steps_[count_++] = {code, static_cast<std::uint8_t>(if_true),
                      static_cast<std::uint8_t>(if_false), value};
}

void Filter::open_group(long call) {
  const bool goes_on = call_count_ > 0 && calls_[call_count_ - 1] == call;
  const bool first = call_count_ == 0;
  if (group_question_ != 0) close_group(!goes_on);
  if (!goes_on) {
    for (std::size_t i = 0; i < call_count_; ++i) failed_ = failed_ || calls_[i] == call;
    if (call_count_ == calls_.size()) {
      failed_ = true;
      return;
    }
    calls_[call_count_++] = call;
  }
  // Whoever jumps here has the number loaded still; whoever comes from a group's end has not.
  if (first || goes_on) add(kLoad, kCallOffset);
  group_question_ = count_;
  add(kEqual, static_cast<std::uint32_t>(call));
}

void Filter::close_group(bool last_of_call) {
  if (last_of_call) add(kAnswer, refusal_);
  const std::size_t distance = count_ - group_question_ - 1;
  if (distance > kFarthestJump) failed_ = true;
  steps_[group_question_].if_false = static_cast<std::uint8_t>(distance);
}

void Filter::allow(long call, std::span<const Argument> conditions) {
  std::size_t left = 1;  // steps behind the current one, to the end of the rule
  for (const Argument& condition : conditions) left += steps_of(condition);
  const bool same = call_count_ > 0 && calls_[call_count_ - 1] == call;
  if (!same || count_ - group_question_ + left > kFarthestJump) open_group(call);
  if (failed_) return;
  for (const Argument& condition : conditions) {
    const auto high = static_cast<std::uint32_t>(condition.value >> 32);
    const auto low = static_cast<std::uint32_t>(condition.value);
    left -= steps_of(condition);
    add(kLoad, argument_high(condition.index));
    if (condition.is == Argument::Is::equal) {
      add(kEqual, high, 0, left + 2);
      add(kLoad, argument_low(condition.index));
      add(kEqual, low, 0, left);
    } else {
      add(kGreater, high, left + 3, 0);
      add(kEqual, high, 0, 2);  // a smaller high half: the low one does not matter
      add(kLoad, argument_low(condition.index));
      add(kGreater, low, left, 0);
    }
  }
  add(kAnswer, SECCOMP_RET_ALLOW);
}

bool Filter::finish() {
  if (group_question_ != 0) close_group(true);
  add(kAnswer, refusal_);
  return !failed_;
}

bool can_filter() {
  const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
  return sys::call(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, reinterpret_cast<long>(&action)) == 0;
}

long forbid_new_privileges() { return sys::call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1); }

long load_filter(const Filter& filter) {
  const sock_fprog program{
      static_cast<unsigned short>(filter.steps().size()),
      const_cast<sock_filter*>(reinterpret_cast<const sock_filter*>(filter.steps().data()))};
  return sys::call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, reinterpret_cast<long>(&program));
}

}  // namespace tenders
