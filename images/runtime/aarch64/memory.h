// Who may do what with which page of a machine: the image's text is read and run, its constants are
// read, the rest is data; the page below the stack and all below the devices are not there at all.
#pragma once

#include <cstdint>

namespace images::runtime::arm64 {

/// Memory begins here and is mapped up to 4 GiB.
inline constexpr std::uint64_t kMemoryBegin = 0x4000'0000;
inline constexpr std::uint64_t kMemoryEnd = 0x1'0000'0000;

/// Refine the boot code's mapping. Called once, before anything from outside is read.
void protect_memory();

/// True if devices are mapped at that address: 0x08000000 to 0x0bffffff, as virt has them.
bool is_device_memory(std::uint64_t address);

/// First address behind the image and its .bss.
std::uint64_t image_end_address();

}  // namespace images::runtime::arm64
