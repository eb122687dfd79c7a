// An hvt guest's CPU: faults are told, there are no interrupts, and the pages stay the tender's.
#include <array>

#include "images/runtime/hvt/hypercall.h"
#include "images/runtime/x86_64/cpu.h"
#include "images/runtime/x86_64/traps.h"

namespace images::runtime::hvt {
namespace {

struct Content {
  abi::HvtTrapX86 trap;
  abi::HvtTrapDetailX86 detail;
};
union Record {
  std::array<std::uint8_t, abi::kTrapRecordBytes> bytes;
  Content content;
};
Record record{};

}  // namespace

void start_cpu() { x86::start_traps(); }

const void* trap_record() {
  const x86::TrapFrame* frame = x86::fatal_trap();
  if (frame == nullptr) return nullptr;
  const x86::TrapFrame& f = *frame;
  record.content.trap = {x86::fault_address(), f.error_code, f.rip, f.cs, f.rflags, f.rsp, f.ss};
  record.content.detail = {abi::kTrapDetailMagic, f.vector, f.rax, f.rbx, f.rcx, f.rdx,
                           f.rsi, f.rdi, f.rbp, f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14,
                           f.r15};
  return &record;
}

}  // namespace images::runtime::hvt
