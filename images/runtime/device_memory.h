// Registers of devices that lie in memory.
#pragma once

#include <cstdint>

namespace images::runtime {

// On ARM in assembly: of a volatile access a compiler may make one that also changes its pointer,
// and that a hypervisor cannot carry out (ESR_EL2.ISV is 0).

inline std::uint32_t read_device(std::uintptr_t address) {
#if defined(__aarch64__)
  std::uint32_t value;
  asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
#else
  return *reinterpret_cast<volatile std::uint32_t*>(address);
#endif
}

inline std::uint8_t read_device_byte(std::uintptr_t address) {
#if defined(__aarch64__)
  std::uint32_t value;
  asm volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return static_cast<std::uint8_t>(value);
#else
  return *reinterpret_cast<volatile std::uint8_t*>(address);
#endif
}

inline void write_device(std::uintptr_t address, std::uint32_t value) {
#if defined(__aarch64__)
  asm volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
#else
  *reinterpret_cast<volatile std::uint32_t*>(address) = value;
#endif
}

}  // namespace images::runtime
