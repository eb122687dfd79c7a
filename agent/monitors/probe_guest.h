// The probe's guests: a few machine instructions each, built in memory. They loop, use floating
// point registers, and end with kProbeStatus.
#pragma once

#include <cstdint>
#include <string>

#include "agent/monitors/tender.h"

namespace monitors {

/// Two instructions each.
inline constexpr std::uint32_t kProbeLoops = 500'000;
inline constexpr int kProbeStatus = 0x2a;

/// For QEMU. x86_64: an ELF32 with a PVH note that ends through isa-debug-exit. ARM64: an Image
/// that writes kProbeWord and switches its machine off.
std::string qemu_probe_guest(Arch host = kHostArch);
inline constexpr char kProbeWord[] = "*";

/// QEMU's exit status when the guest came to its end.
constexpr int qemu_probe_status(Arch host = kHostArch) {
  return host == Arch::aarch64 ? 0 : (kProbeStatus << 1) | 1;
}

/// For a tender on this CPU: an ELF64 with Solo5's notes and no devices.
std::string solo5_probe_guest(Target target);

}  // namespace monitors
