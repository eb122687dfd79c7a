#include "images/runtime/x86_64/traps.h"

#include <array>
#include <cstddef>
#include <string_view>

#include "images/abi/traps.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"
#include "images/runtime/stack.h"
#include "images/runtime/x86_64/apic.h"
#include "images/runtime/x86_64/cpu.h"

extern "C" {
extern const std::uint64_t trap_stubs[64];
void spurious_interrupt();
void handle_trap(images::runtime::x86::TrapFrame* frame);
}

namespace images::runtime::x86 {
namespace {

constexpr std::uint16_t kCodeSegment = 0x08;
constexpr std::uint16_t kTaskSegment = 0x18;

struct Gate {
  std::uint16_t offset_low;
  std::uint16_t segment;
  std::uint8_t stack_index;
  std::uint8_t type;
  std::uint16_t offset_middle;
  std::uint32_t offset_high;
  std::uint32_t zero;
};
static_assert(sizeof(Gate) == 16);

struct [[gnu::packed]] TaskState {
  std::uint32_t reserved0;
  std::uint64_t stacks[3];
  std::uint64_t reserved1;
  std::uint64_t interrupt_stacks[7];
  std::uint64_t reserved2;
  std::uint16_t reserved3;
  std::uint16_t io_map;
};
static_assert(sizeof(TaskState) == 104);

struct [[gnu::packed]] TablePointer {
  std::uint16_t limit;
  std::uint64_t base;
};

std::array<Gate, 256> gates;
TaskState task_state;
std::array<std::uint64_t, 5> segments{0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0, 0};
// Faults run on their own stack, so that an overflow of the first one can still be told.
alignas(16) std::array<std::uint8_t, 8192> fault_stack;
void (*device_handler)() = nullptr;
const TrapFrame* dying_of = nullptr;

void set_gate(std::size_t vector, std::uint64_t address, std::uint8_t stack_index) {
  Gate& gate = gates[vector];
  gate.offset_low = static_cast<std::uint16_t>(address);
  gate.segment = kCodeSegment;
  gate.stack_index = stack_index;
  gate.type = 0x8e;  // present, interrupt gate: interrupts are off inside
  gate.offset_middle = static_cast<std::uint16_t>(address >> 16);
  gate.offset_high = static_cast<std::uint32_t>(address >> 32);
}

[[noreturn]] void die_of(const TrapFrame& f) {
  if (dying_of != nullptr) platform::abort();  // a fault while telling of a fault
  dying_of = &f;
  const auto& names = abi::kTrapNamesX86;
  const std::string_view name = f.vector < names.size() ? names[f.vector] : "trap";
  if (f.vector == abi::kPageFaultX86) {
    const std::uint64_t address = fault_address();
    const char* how = (f.error_code & 16) != 0  ? "executing"
                      : (f.error_code & 2) != 0 ? "writing"
                                                : "reading";
    const char* hint = address < 4096         ? " (null pointer)"
                       : in_stack_guard(address) ? " (stack overflow)"
                                                 : "";
    print("panic: page fault ", how, " ", Hex{address}, hint, ", rip ", Hex{f.rip});
  } else {
    print("panic: ", name, " (trap ", f.vector, "), rip ", Hex{f.rip});
  }
  print("  rip ", Hex{f.rip}, " rsp ", Hex{f.rsp}, " rbp ", Hex{f.rbp}, " rflags ", Hex{f.rflags},
        " error ", Hex{f.error_code});
  print("  rax ", Hex{f.rax}, " rbx ", Hex{f.rbx}, " rcx ", Hex{f.rcx}, " rdx ", Hex{f.rdx},
        " rsi ", Hex{f.rsi}, " rdi ", Hex{f.rdi});
  print("  r8 ", Hex{f.r8}, " r9 ", Hex{f.r9}, " r10 ", Hex{f.r10}, " r11 ", Hex{f.r11}, " r12 ",
        Hex{f.r12}, " r13 ", Hex{f.r13}, " r14 ", Hex{f.r14}, " r15 ", Hex{f.r15});
  platform::abort();
}

}  // namespace

void start_traps() {
  for (std::size_t vector = 0; vector < 64; ++vector) {
    set_gate(vector, trap_stubs[vector], vector < 32 ? 1 : 0);
  }
  set_gate(kSpuriousVector, reinterpret_cast<std::uint64_t>(&spurious_interrupt), 0);
  task_state.interrupt_stacks[0] =
      reinterpret_cast<std::uint64_t>(fault_stack.data() + fault_stack.size());
  task_state.io_map = sizeof(TaskState);
  const auto base = reinterpret_cast<std::uint64_t>(&task_state);
  segments[3] = (sizeof(TaskState) - 1) | ((base & 0xffffff) << 16) | (0x89ULL << 40) |
                ((base >> 24 & 0xff) << 56);
  segments[4] = base >> 32;
  const TablePointer segment_table{sizeof(segments) - 1,
                                   reinterpret_cast<std::uint64_t>(segments.data())};
  const TablePointer gate_table{sizeof(gates) - 1, reinterpret_cast<std::uint64_t>(gates.data())};
  // Same selectors as at boot, so the loaded segments stay as they are.
  asm volatile("lgdt %0; lidt %1; ltr %2" : : "m"(segment_table), "m"(gate_table),
               "r"(kTaskSegment) : "memory");
}

const TrapFrame* fatal_trap() { return dying_of; }

void on_device_interrupt(void (*handler)()) { device_handler = handler; }

}  // namespace images::runtime::x86

void handle_trap(images::runtime::x86::TrapFrame* frame) {
  using namespace images::runtime::x86;
  if (frame->vector == kTimerVector) return end_of_interrupt();
  if (frame->vector == kDeviceVector) {
    if (device_handler != nullptr) device_handler();
    return end_of_interrupt();
  }
  die_of(*frame);
}
