// The host side of a guest's devices: opened or taken over, checked, and written into the manifest
// that the guest will read.
#pragma once

#include <array>
#include <cstdint>

#include "agent/tenders/failure.h"
#include "agent/tenders/options.h"
#include "images/abi/solo5.h"

namespace tenders {

inline constexpr std::uint32_t kDefaultSectorBytes = 512;

/// One attached device; its handle is its index in the manifest.
struct Device {
  std::uint32_t kind = 0;  // images::abi::kDeviceBlock, kDeviceNet; 0: no device
  int descriptor = -1;
  std::uint64_t capacity_bytes = 0;  // block
  std::uint32_t block_bytes = 0;
  BlockSync sync = BlockSync::never;
  std::uint16_t mtu = 0;             // net
};

using Devices = std::array<Device, images::abi::kMaxManifestEntries>;

/// Attach all that the manifest declares, no more and no less.
/// out     manifest: every entry filled in but `descriptor`
/// errors  bad_argument (names that do not match, a file of a wrong size) | io | not_found
[[nodiscard]] bool attach_devices(const Options& options, images::abi::Manifest& manifest,
                                  Devices& devices, Failure& failure);

/// The name of a manifest's entry.
std::string_view device_name(const images::abi::ManifestEntry& entry);

}  // namespace tenders
