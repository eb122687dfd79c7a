#include <asm/prctl.h>
#include <asm/unistd.h>

#include "agent/tenders/spt/enter.h"
#include "agent/tenders/spt/rules.h"

namespace tenders::spt {

/// Guests set their thread pointer by a call here.
void add_cpu_rules(Filter& filter) {
  filter.allow(__NR_arch_prctl, Argument{0, Argument::Is::equal, ARCH_SET_FS});
}

/// 47 bits less a page; what lies above is only for those who ask for it by address.
std::uint64_t end_of_addresses() { return 0x7ffffffff000; }

}  // namespace tenders::spt
