// An hvt guest's CPU: faults are told, there are no interrupts, and the pages stay the tender's.
#include <array>

#include "images/runtime/hvt/hypercall.h"
#include "images/runtime/x86_64/cpu.h"
#include "images/runtime/x86_64/memory.h"
#include "images/runtime/x86_64/traps.h"

namespace images::runtime::x86 {

/// The stack lies at the end of memory without a guard below it.
bool in_stack_guard(std::uint64_t) { return false; }

}  // namespace images::runtime::x86

namespace images::runtime::hvt {
namespace {

union Record {
  abi::HvtTrapX86 trap;
  std::array<std::uint8_t, abi::kTrapRecordBytes> bytes;
};
Record record{};

}  // namespace

void start_cpu() { x86::start_traps(); }

const void* trap_record() {
  const x86::TrapFrame* frame = x86::fatal_trap();
  if (frame == nullptr) return nullptr;
  record.trap = {x86::fault_address(), frame->error_code, frame->rip, frame->cs,
                 frame->rflags,        frame->rsp,        frame->ss};
  return &record;
}

}  // namespace images::runtime::hvt
