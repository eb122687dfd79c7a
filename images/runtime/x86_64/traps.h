// Faults and interrupts of the CPU. A fault is always our own mistake: it is told on the console,
// with the registers, and ends the guest as aborted.
#pragma once

#include <cstdint>

namespace images::runtime::x86 {

// As interrupts.S pushes it.
struct TrapFrame {
  std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
  std::uint64_t vector, error_code;
  std::uint64_t rip, cs, rflags, rsp, ss;  // by the CPU
};
static_assert(sizeof(TrapFrame) == 22 * 8);

inline constexpr std::uint8_t kTimerVector = 0x20;
inline constexpr std::uint8_t kDeviceVector = 0x21;  // all devices of the platform
inline constexpr std::uint8_t kSpuriousVector = 0xff;

/// Load segment and interrupt tables; from here on a fault is told instead of resetting.
void start_traps();

/// The fault that is ending the guest, with all registers; nullptr: none is.
const TrapFrame* fatal_trap();

/// Called with interrupts off for every interrupt of a device; nullptr = none.
void on_device_interrupt(void (*handler)());

}  // namespace images::runtime::x86
