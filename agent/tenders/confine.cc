#include "agent/tenders/confine.h"

#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/landlock.h>

#include "agent/tenders/filter.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

using proto::Code;

constexpr unsigned kMaxDescriptors = 1024;

/// Bits of every right over files that a kernel with this Landlock version knows.
std::uint64_t all_rights(long version) {
  constexpr std::uint64_t kVersion1 = (1ULL << 13) - 1;
  if (version == 1) return kVersion1;
  if (version == 2) return kVersion1 | 1ULL << 13;  // REFER
  if (version < 5) return kVersion1 | 3ULL << 13;   // TRUNCATE
  return kVersion1 | 7ULL << 13;                    // IOCTL_DEV
}

bool forbid_files(Failure& failure) {
  const long version = sys::call(__NR_landlock_create_ruleset, 0, 0,
                                 LANDLOCK_CREATE_RULESET_VERSION);
  if (version <= 0) return true;  // not in this kernel, or switched off
  const std::uint64_t handled = all_rights(version);
  const long rules = sys::call(__NR_landlock_create_ruleset, reinterpret_cast<long>(&handled),
                               sizeof handled, 0);
  if (rules < 0) return failure.because(Code::io, "Landlock: ", sys::error_text(rules));
  const long result = sys::call(__NR_landlock_restrict_self, rules, 0);
  sys::close(static_cast<int>(rules));
  if (result < 0) return failure.because(Code::io, "Landlock: ", sys::error_text(result));
  return true;
}

bool close_others(std::span<const int> keep, Failure& failure) {
  std::array<bool, kMaxDescriptors> kept{};
  for (const int descriptor : keep) {
    if (descriptor >= 0) kept[static_cast<unsigned>(descriptor)] = true;
  }
  unsigned first = 3;
  for (unsigned i = 3; i <= kMaxDescriptors; ++i) {
    const bool at_end = i == kMaxDescriptors;
    if (!at_end && !kept[i]) continue;
    const unsigned last = at_end ? ~0U : i - 1;
    if (first <= last) {
      const long result = sys::call(__NR_close_range, first, last, 0);
      if (result < 0) {
        return failure.because(Code::io, "closing descriptors: ", sys::error_text(result));
      }
    }
    first = i + 1;
  }
  return true;
}

}  // namespace

bool confine(std::span<const int> keep, Failure& failure) {
  if (!close_others(keep, failure)) return false;
  const long forbidden = forbid_new_privileges();
  if (forbidden < 0) {
    return failure.because(Code::io, "no new privileges: ", sys::error_text(forbidden));
  }
  return forbid_files(failure);
}

void ignore_broken_pipes() {
  // As the kernel has it: handler, flags, restorer, mask.
  struct {
    std::uint64_t handler = 1;  // SIG_IGN
    std::uint64_t flags = 0;
    std::uint64_t restorer = 0;
    std::uint64_t mask = 0;
  } action;
  sys::call(__NR_rt_sigaction, SIGPIPE, reinterpret_cast<long>(&action), 0, 8);
}

}  // namespace tenders
