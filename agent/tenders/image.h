// A Solo5 image for a tender: read from its file, checked as a whole, and only then loaded. Trusts
// nothing in the file; never maps it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/tenders/failure.h"
#include "agent/tenders/guest_memory.h"
#include "images/abi/elf.h"
#include "images/abi/solo5.h"

namespace tenders {

inline constexpr std::size_t kMaxSegments = 64;

/// One PT_LOAD that has bytes in the file.
struct Segment {
  std::uint64_t file_offset;
  std::uint64_t file_bytes;
  std::uint64_t address;
  std::uint64_t begin;  // address, down to the segment's alignment: what is protected
  std::uint64_t end;    // the end of its memory, up to the alignment
  std::uint32_t flags;  // images::abi::kSegment*
};

struct Image {
  std::uint64_t entry = 0;
  std::uint64_t end = 0;         // of the last segment with bytes: boot information's image_end
  std::uint64_t memory_end = 0;  // of everything, .bss too: the guest's memory must reach so far
  std::array<Segment, kMaxSegments> segments{};  // ascending, without overlap
  std::size_t segment_count = 0;
  std::uint32_t abi_version = 0;
  images::abi::Manifest manifest{};
};

/// Read headers, notes and manifest of the file and check all that does not depend on the memory.
/// in      name: for words only; target: images::abi::kTargetHvt or kTargetSpt
/// errors  bad_image | wrong_arch | not_supported (another target or ABI version) | io
[[nodiscard]] bool read_image(int file, std::string_view name, std::uint32_t target, Image& image,
                              Failure& failure);

/// Whether the image fits into that memory. errors no_memory
[[nodiscard]] bool check_fits(const Image& image, std::string_view name, std::uint64_t memory_bytes,
                              Failure& failure);

/// Copy the segments' bytes into the memory, which must be zero and fit. errors io | bad_image
[[nodiscard]] bool load_segments(int file, std::string_view name, const Image& image,
                                 const GuestMemory& memory, Failure& failure);

}  // namespace tenders
