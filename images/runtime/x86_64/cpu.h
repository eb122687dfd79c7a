// The x86 instructions that C++ has no words for.
#pragma once

#include <cstdint>

namespace images::runtime::x86 {

inline void out8(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

inline std::uint8_t in8(std::uint16_t port) {
  std::uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

inline std::uint64_t read_tsc() {
  std::uint32_t low;
  std::uint32_t high;
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (std::uint64_t{high} << 32) | low;
}

inline std::uint64_t read_msr(std::uint32_t number) {
  std::uint32_t low;
  std::uint32_t high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return (std::uint64_t{high} << 32) | low;
}

inline void write_msr(std::uint32_t number, std::uint64_t value) {
  asm volatile("wrmsr" : : "c"(number), "a"(static_cast<std::uint32_t>(value)),
               "d"(static_cast<std::uint32_t>(value >> 32)) : "memory");
}

inline std::uint64_t fault_address() {
  std::uint64_t value;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}

inline void interrupts_off() { asm volatile("cli" : : : "memory"); }
inline void interrupts_on() { asm volatile("sti" : : : "memory"); }

/// Sleep until an interrupt. STI takes effect after the next instruction, so that none is lost
/// between the caller's last look (with interrupts off) and HLT.
inline void sleep_until_interrupt() { asm volatile("sti; hlt" : : : "memory"); }

}  // namespace images::runtime::x86
