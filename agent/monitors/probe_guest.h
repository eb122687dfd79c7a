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

/// For QEMU on x86_64: an ELF32 with a PVH note that ends through isa-debug-exit.
std::string pvh_probe_guest();
inline constexpr int kQemuProbeStatus = (kProbeStatus << 1) | 1;  // QEMU's (value << 1) | 1

/// For a tender on this CPU: an ELF64 with Solo5's notes and no devices.
std::string solo5_probe_guest(Target target);

}  // namespace monitors
