// ARM's interrupt controller (GICv2 or v3), as far as one CPU needs it that never takes an
// interrupt, but is woken by it (WFI) and asks then.
#pragma once

#include <cstdint>

#include "images/runtime/virtio/device_tree.h"

namespace images::runtime::arm64 {

/// Switch on the one that the tree tells of. False: none, or not where devices are mapped.
bool start_gic(const virtio::DeviceTree& tree);

/// Let an interrupt (0..1019) wake this CPU.
void enable_interrupt(std::uint32_t number);

/// Take one that is pending; it stays active until it is ended. False: none.
bool take_interrupt(std::uint32_t& number);
void end_interrupt(std::uint32_t number);

}  // namespace images::runtime::arm64
