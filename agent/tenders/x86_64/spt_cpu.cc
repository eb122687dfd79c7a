#include <asm/prctl.h>
#include <asm/unistd.h>

#include "agent/tenders/spt/enter.h"
#include "agent/tenders/spt/rules.h"
#include "agent/tenders/spt/tracer.h"

namespace tenders::spt {

/// Guests set their thread pointer by a call here.
void add_cpu_rules(Filter& filter) {
  filter.allow(__NR_arch_prctl, Argument{0, Argument::Is::equal, ARCH_SET_FS});
}

/// 47 bits less a page; what lies above is only for those who ask for it by address.
std::uint64_t end_of_addresses() { return 0x7ffffffff000; }

/// struct user_regs_struct, all but the segments.
void take_registers(std::span<const std::uint64_t> registers, Trap& trap) {
  constexpr std::string_view kNames[] = {
      "r15", "r14", "r13", "r12", "rbp", "rbx",      "r11", "r10", "r9",     "r8",  "rax", "rcx",
      "rdx", "rsi", "rdi", "",    "rip", "", "rflags", "rsp", "", "fs_base"};
  constexpr std::size_t kRip = 16;
  if (registers.size() < std::size(kNames)) return;
  trap.pc = registers[kRip];
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    if (!kNames[i].empty()) trap.add(kNames[i], registers[i]);
  }
}

}  // namespace tenders::spt
