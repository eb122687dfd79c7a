// The parts of an ELF64 file that a loader reads (System V ABI, chapters 4 and 5). Freestanding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace images::abi {

inline constexpr std::uint8_t kElfMagic[4] = {0x7f, 'E', 'L', 'F'};
inline constexpr std::uint8_t kElfClass64 = 2;
inline constexpr std::uint8_t kElfLittleEndian = 1;
inline constexpr std::uint8_t kElfVersion = 1;
inline constexpr std::uint16_t kElfExecutable = 2;
inline constexpr std::uint16_t kElfMachineX86 = 62;
inline constexpr std::uint16_t kElfMachineAarch64 = 183;

struct ElfHeader {
  std::uint8_t magic[4];
  std::uint8_t file_class;
  std::uint8_t data;
  std::uint8_t ident_version;
  std::uint8_t os_abi;
  std::uint8_t padding[8];
  std::uint16_t type;
  std::uint16_t machine;
  std::uint32_t version;
  std::uint64_t entry;
  std::uint64_t segments_offset;
  std::uint64_t sections_offset;
  std::uint32_t flags;
  std::uint16_t header_bytes;
  std::uint16_t segment_bytes;
  std::uint16_t segment_count;
  std::uint16_t section_bytes;
  std::uint16_t section_count;
  std::uint16_t names_index;
};
static_assert(sizeof(ElfHeader) == 64 && offsetof(ElfHeader, segment_count) == 56);

inline constexpr std::uint32_t kSegmentLoad = 1;
inline constexpr std::uint32_t kSegmentNote = 4;
inline constexpr std::uint32_t kSegmentExecute = 1;
inline constexpr std::uint32_t kSegmentWrite = 2;
inline constexpr std::uint32_t kSegmentRead = 4;

struct ElfSegment {
  std::uint32_t type;
  std::uint32_t flags;
  std::uint64_t offset;
  std::uint64_t address;
  std::uint64_t physical_address;
  std::uint64_t file_bytes;
  std::uint64_t memory_bytes;
  std::uint64_t alignment;
};
static_assert(sizeof(ElfSegment) == 56);

struct ElfNote {  // then the owner's name and the content, each padded to 4 bytes
  std::uint32_t name_bytes;
  std::uint32_t content_bytes;
  std::uint32_t type;
};
static_assert(sizeof(ElfNote) == 12);

// Our own notes.
inline constexpr char kUnifleetOwner[] = "Unifleet";
inline constexpr std::uint32_t kUnifleetVersionNote = 1;   // content: the config volume's version
inline constexpr std::uint32_t kUnifleetLanguageNote = 2;  // content: text, RUNTIME_CONFIG_LANGUAGE

}  // namespace images::abi
