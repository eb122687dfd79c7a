#include <linux/errno.h>

#include "agent/tenders/spt/enter.h"
#include "agent/tenders/spt/rules.h"
#include "agent/tenders/spt/tracer.h"
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

/// struct user_pt_regs.
void take_registers(std::span<const std::uint64_t> registers, Trap& trap) {
  constexpr std::string_view kNames[] = {
      "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10", "x11",
      "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
      "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",  "pc",  "pstate"};
  constexpr std::size_t kPc = 32;
  if (registers.size() < std::size(kNames)) return;
  trap.pc = registers[kPc];
  for (std::size_t i = 0; i < std::size(kNames); ++i) trap.add(kNames[i], registers[i]);
}

}  // namespace tenders::spt
