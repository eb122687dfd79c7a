// The PVH boot protocol's structures, as Xen's public header start_info.h defines them (version 1).
// A guest is entered in 32-bit protected mode, paging off, with EBX = address of HvmStartInfo; the
// entry is told by an ELF note. Freestanding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace images::abi {

inline constexpr char kXenNoteOwner[] = "Xen";
inline constexpr std::uint32_t kXenNotePhys32Entry = 18;
inline constexpr std::uint32_t kHvmStartMagic = 0x336ec578;

struct HvmStartInfo {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t flags;
  std::uint32_t module_count;
  std::uint64_t module_list_address;
  std::uint64_t command_line_address;
  std::uint64_t rsdp_address;
  std::uint64_t memory_map_address;  // from version 1
  std::uint32_t memory_map_count;
  std::uint32_t reserved;
};
static_assert(sizeof(HvmStartInfo) == 56);

struct HvmModule {
  std::uint64_t address;
  std::uint64_t size_bytes;
  std::uint64_t command_line_address;
  std::uint64_t reserved;
};
static_assert(sizeof(HvmModule) == 32);

inline constexpr std::uint32_t kMemoryRam = 1;  // E820's numbers

struct HvmMemoryRange {
  std::uint64_t address;
  std::uint64_t size_bytes;
  std::uint32_t type;
  std::uint32_t reserved;
};
static_assert(sizeof(HvmMemoryRange) == 24);

}  // namespace images::abi
