// The flattened device tree (Devicetree Specification 0.4, chapters 2 and 5): what a machine like
// QEMU's virt tells of itself. Every number in it is checked against the tree's size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/runtime/virtio/mmio.h"

namespace images::runtime::virtio {

struct AddressRange {
  std::uint64_t address = 0;
  std::uint64_t size_bytes = 0;  // 0: it was not told
};

/// ARM's interrupt controllers, versions 2 and 3.
enum class Gic { none, v2, v3 };

struct DeviceTree {
  AddressRange memory;        // the first that is told
  AddressRange initrd;        // for us the config volume
  Gic gic = Gic::none;
  AddressRange distributor;
  AddressRange cpu_interface;  // v3: the redistributors
  bool power_by_smc = false;   // PSCI is called by SMC, else by HVC
  std::array<DevicePlace, kMaxDevices> devices{};  // their lines are the controller's numbers
  std::size_t device_count = 0;
};

/// Read a tree; `bytes` may go on behind it. What is over a limit is left out.
/// Returns what is wrong with it; empty: nothing, and `out` is filled.
std::string_view read_device_tree(std::span<const std::uint8_t> bytes, DeviceTree& out);

}  // namespace images::runtime::virtio
