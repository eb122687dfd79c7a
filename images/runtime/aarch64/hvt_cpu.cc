// An hvt guest's CPU: faults are told, there are no interrupts, and the pages stay the tender's.
#include "images/runtime/aarch64/memory.h"
#include "images/runtime/aarch64/traps.h"
#include "images/runtime/hvt/hypercall.h"

namespace images::runtime {

/// The stack lies at the end of memory without a guard below it.
bool arm64::in_stack_guard(std::uint64_t) { return false; }

namespace hvt {

void start_cpu() { arm64::start_traps(); }

const void* trap_record() { return nullptr; }

}  // namespace hvt

}  // namespace images::runtime
