#include <linux/errno.h>

#include "agent/tenders/spt/enter.h"
#include "agent/tenders/spt/rules.h"
#include "agent/tenders/sys.h"

namespace tenders::spt {

/// None: guests write their thread pointer by an instruction.
void add_cpu_rules(Filter&) {}

/// Kernels are built for 36 to 52 bits. Beyond the end even to unmap nothing is an error.
std::uint64_t end_of_addresses() {
  for (const unsigned bits : {36U, 39U, 42U, 47U}) {
    const std::uint64_t end = 1ULL << bits;
    if (sys::unmap(end, 65536) == -EINVAL) return end;
  }
  return 1ULL << 48;  // with 52 bits, what lies above is only for those who ask for it by address
}

}  // namespace tenders::spt
