// What the platform virtio asks of the machine under it, beside images/runtime/platform.h, whose
// console, clock and end each machine brings itself. One machine per CPU: QEMU's microvm on x86_64
// (x86_64/machine.cc), its virt on ARM64 (aarch64/machine.cc). Their boot code calls run().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "images/runtime/virtio/mmio.h"

namespace images::runtime::virtio {

/// What the boot code found.
struct Machine {
  std::span<const std::uint8_t> volume;  // empty: the host gave none
  std::span<std::uint8_t> memory;        // what is free
  std::span<const DevicePlace> devices;  // places that may hold one; they stay
};

/// Start the runtime; called once, when console, clock and faults stand.
[[noreturn]] void run(const Machine& machine);

/// Let a device's line wake sleep_until(); `acknowledge` is called for each interrupt of any line.
void wake_on(std::uint32_t line, void (*acknowledge)());

/// Sleep until a line or the time wakes; not at all if `work_waits` says so when no interrupt can
/// be lost any more. May return early.
void sleep_until(std::uint64_t deadline_ms, bool (*work_waits)());

}  // namespace images::runtime::virtio
