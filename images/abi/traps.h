// The CPUs' names for their exceptions, in words: for the guest that tells of one on its console,
// and for the tender that tells of it in its report.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace images::abi {

// x86_64, by vector.
inline constexpr std::array<std::string_view, 22> kTrapNamesX86{
    "division by zero", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid instruction",
    "no FPU", "double fault", "9", "bad task state", "segment missing", "stack segment",
    "general protection", "page fault", "15", "FPU error", "misaligned", "machine check",
    "SIMD error", "virtualisation", "control protection"};
inline constexpr std::uint64_t kPageFaultX86 = 14;

/// aarch64, by ESR_EL1.
constexpr std::string_view trap_name_aarch64(std::uint64_t syndrome) {
  switch (syndrome >> 26 & 0x3f) {
    case 0x00: return "unknown instruction";
    case 0x0e: return "illegal state";
    case 0x15: return "system call";
    case 0x18: return "forbidden system register";
    case 0x20:
    case 0x21: return "page fault executing";
    case 0x22: return "misaligned instruction";
    case 0x24:
    case 0x25: return (syndrome & 0x40) != 0 ? "page fault writing" : "page fault reading";
    case 0x26: return "misaligned stack";
    case 0x3c: return "breakpoint";
    default: return "exception";
  }
}

/// Whether FAR_EL1 says an address for it.
constexpr bool has_address_aarch64(std::uint64_t syndrome) {
  const std::uint64_t kind = syndrome >> 26 & 0x3f;
  return kind == 0x20 || kind == 0x21 || kind == 0x22 || kind == 0x24 || kind == 0x25;
}

}  // namespace images::abi
