// An hvt guest's CPU: faults are told, there are no interrupts, and the pages stay the tender's.
#include "images/runtime/aarch64/traps.h"
#include "images/runtime/hvt/hypercall.h"

namespace images::runtime::hvt {

void start_cpu() { arm64::start_traps(); }

const void* trap_record() { return nullptr; }

}  // namespace images::runtime::hvt
