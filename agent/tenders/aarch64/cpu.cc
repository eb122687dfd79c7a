#include "agent/tenders/cpu.h"

#include <linux/audit.h>

#include "images/abi/elf.h"

namespace tenders {

constinit const CpuFacts kCpu{"aarch64", images::abi::kElfMachineAarch64, AUDIT_ARCH_AARCH64, 16};

}  // namespace tenders
