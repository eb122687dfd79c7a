// The header of a flat image that Linux's boot protocol for ARM64 loads (Linux,
// Documentation/arm64/booting.rst): entered at its first byte, MMU off, with x0 = address of the
// device tree. Ours has ELF notes of owner "Unifleet" right behind it (abi/elf.h). Freestanding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace images::abi {

inline constexpr std::uint32_t kArm64ImageMagic = 0x644d5241;  // "ARM\x64"
inline constexpr std::uint64_t kArm64LittleEndian4K = 0x2;     // flags: pages of 4 KiB

struct Arm64ImageHeader {
  std::uint32_t code[2];
  std::uint64_t load_offset;  // bytes behind a boundary of 2 MiB in memory, near its beginning
  std::uint64_t size_bytes;   // in memory: with what the file has no bytes for
  std::uint64_t flags;
  std::uint64_t reserved[3];
  std::uint32_t magic;
  std::uint32_t efi_offset;
};
static_assert(sizeof(Arm64ImageHeader) == 64 && offsetof(Arm64ImageHeader, magic) == 56);

}  // namespace images::abi
