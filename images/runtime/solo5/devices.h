// What the targets hvt and spt have in common: devices by name, the config volume, the memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/abi/solo5.h"

namespace images::runtime::solo5 {

inline constexpr char kConfigDevice[] = "config";

/// Once, before the runtime starts. The manifest stays where it is.
/// Panics if the image does not fit, or the config volume cannot be read.
void take_boot_info(const abi::Manifest& manifest, std::uint64_t memory_bytes);

/// The handle of the network device that is open as a port; 0: none.
std::uint32_t net_handle(std::size_t port);
/// Its number among descriptors, spt only.
int net_descriptor(std::size_t port);

/// By each target: one block, at a multiple of its size. False: the host could not.
bool read_block(const abi::ManifestEntry& device, std::uint32_t handle, std::uint64_t offset,
                std::span<std::uint8_t> block);
bool write_block(const abi::ManifestEntry& device, std::uint32_t handle, std::uint64_t offset,
                 std::span<const std::uint8_t> block);

}  // namespace images::runtime::solo5
