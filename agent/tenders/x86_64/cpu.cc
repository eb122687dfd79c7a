#include "agent/tenders/cpu.h"

#include <linux/audit.h>

#include "images/abi/elf.h"

namespace tenders {

constinit const CpuFacts kCpu{"x86_64", images::abi::kElfMachineX86, AUDIT_ARCH_X86_64, 8};

}  // namespace tenders
