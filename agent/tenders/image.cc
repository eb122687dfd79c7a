#include "agent/tenders/image.h"

#include <linux/errno.h>

#include "agent/tenders/cpu.h"
#include "agent/tenders/notes.h"
#include "agent/tenders/sys.h"

namespace tenders {
namespace {

namespace abi = images::abi;
using proto::Code;

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kHighestAddress = 1ULL << 47;  // no guest has more on either CPU

bool is_power_of_two(std::uint64_t number) { return number != 0 && (number & (number - 1)) == 0; }

bool read_exactly(int file, std::span<std::uint8_t> to, std::uint64_t offset) {
  while (!to.empty()) {
    const long got = sys::read_at(file, to, offset);
    if (got == -EINTR) continue;
    if (got <= 0) return false;
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

bool check_header(const abi::ElfHeader& header, std::string_view name, Failure& failure) {
  const auto refuse = [&](std::string_view what) {
    return failure.because(Code::bad_image, Foreign{name}, ": ", what);
  };
  for (std::size_t i = 0; i < sizeof abi::kElfMagic; ++i) {
    if (header.magic[i] != abi::kElfMagic[i]) return refuse("not an ELF file, so no unikernel");
  }
  if (header.file_class != abi::kElfClass64 || header.data != abi::kElfLittleEndian ||
      header.ident_version != abi::kElfVersion || header.version != abi::kElfVersion) {
    return refuse("an ELF file, but not a 64-bit little-endian one");
  }
  if (header.machine != kCpu.elf_machine) {
    return failure.because(Code::wrong_arch, Foreign{name}, ": built for ",
                           cpu_name(header.machine), ", this host is ", kCpu.name);
  }
  if (header.type != abi::kElfExecutable) {
    return refuse("not an executable with fixed addresses (ET_EXEC)");
  }
  if (header.segment_bytes != sizeof(abi::ElfSegment) || header.segment_count == 0 ||
      header.segment_count > kMaxSegments) {
    return failure.because(Code::bad_image, Foreign{name}, ": ", header.segment_count,
                           " program headers; 1 to ", kMaxSegments, " are possible");
  }
  return true;
}

bool check_segment(const abi::ElfSegment& raw, std::size_t number, std::string_view name,
                   Segment& out, Failure& failure) {
  const auto refuse = [&](const auto&... parts) {
    return failure.because(Code::bad_image, Foreign{name}, ": segment ", number, " ", parts...);
  };
  if ((raw.flags & abi::kSegmentWrite) != 0 && (raw.flags & abi::kSegmentExecute) != 0) {
    return refuse("is writable and executable");
  }
  if (raw.memory_bytes < raw.file_bytes) return refuse("has more bytes in the file than in memory");
  // 0 and 1 mean no alignment; pages are what can be protected.
  const std::uint64_t alignment = raw.alignment < kPageBytes ? kPageBytes : raw.alignment;
  if ((raw.alignment != 0 && !is_power_of_two(raw.alignment)) || alignment > kHighestAddress) {
    return refuse("has the alignment ", raw.alignment, ", not a power of two");
  }
  if (raw.address > kHighestAddress || raw.memory_bytes > kHighestAddress - raw.address) {
    return refuse("ends beyond every possible memory");
  }
  if (raw.file_bytes != 0 && raw.offset > ~std::uint64_t{0} - raw.file_bytes) {
    return refuse("lies outside the file");
  }
  out.file_offset = raw.offset;
  out.file_bytes = raw.file_bytes;
  out.address = raw.address;
  out.begin = raw.address & ~(alignment - 1);
  out.end = (raw.address + raw.memory_bytes + alignment - 1) & ~(alignment - 1);
  out.flags = raw.flags;
  if (out.begin < abi::kGuestImageStart) {
    return refuse("starts at ", Hex{out.begin}, ", below ", Hex{abi::kGuestImageStart});
  }
  return true;
}

/// One PT_LOAD into the image. Segments without bytes in the file (.bss as a segment of its own)
/// are only memory.
bool take_load(const abi::ElfSegment& raw, std::size_t number, std::string_view name, Image& image,
               Failure& failure) {
  if (raw.memory_bytes == 0 && raw.file_bytes == 0) return true;
  Segment segment{};
  if (!check_segment(raw, number, name, segment, failure)) return false;
  if (segment.end > image.memory_end) image.memory_end = segment.end;
  if (raw.file_bytes == 0) return true;
  if (segment.begin < image.end) {
    return failure.because(Code::bad_image, Foreign{name}, ": segment ", number, " at ",
                           Hex{segment.address}, " overlaps an earlier one or comes before it");
  }
  image.end = segment.end;
  image.segments[image.segment_count++] = segment;
  return true;
}

}  // namespace

bool read_image(int file, std::string_view name, std::uint32_t target, Image& image,
                Failure& failure) {
  abi::ElfHeader header{};
  if (!read_exactly(file, {reinterpret_cast<std::uint8_t*>(&header), sizeof header}, 0)) {
    return failure.because(Code::bad_image, Foreign{name}, ": too short to be an ELF file");
  }
  if (!check_header(header, name, failure)) return false;
  abi::ElfSegment raw[kMaxSegments];
  const std::size_t count = header.segment_count;
  const std::size_t table_bytes = count * sizeof(abi::ElfSegment);
  if (!read_exactly(file, {reinterpret_cast<std::uint8_t*>(raw), table_bytes},
                    header.segments_offset)) {
    return failure.because(Code::bad_image, Foreign{name}, ": cut short in its program headers");
  }
  Notes notes(file, name, target);
  for (std::size_t i = 0; i < count; ++i) {
    if (raw[i].type == abi::kSegmentLoad && !take_load(raw[i], i, name, image, failure)) {
      return false;
    }
    if (raw[i].type == abi::kSegmentNote && !notes.take(raw[i], image, failure)) return false;
  }
  if (!notes.check_complete(failure)) return false;
  image.entry = header.entry;
  if (image.segment_count == 0) {
    return failure.because(Code::bad_image, Foreign{name}, ": no segment to load");
  }
  if (image.entry < abi::kGuestImageStart || image.entry >= image.memory_end) {
    return failure.because(Code::bad_image, Foreign{name}, ": its entry ", Hex{image.entry},
                           " is not in the image");
  }
  return true;
}

bool check_fits(const Image& image, std::string_view name, std::uint64_t memory_bytes,
                Failure& failure) {
  if (image.memory_end < memory_bytes) return true;  // and something left for a stack
  return failure.because(Code::no_memory, Foreign{name}, ": needs more than ",
                         image.memory_end / 1024, " KiB of memory, --mem gives ",
                         memory_bytes / 1024, " KiB");
}

bool load_segments(int file, std::string_view name, const Image& image, const GuestMemory& memory,
                   Failure& failure) {
  for (std::size_t i = 0; i < image.segment_count; ++i) {
    const Segment& segment = image.segments[i];
    std::span<std::uint8_t> place;
    if (!memory.prepare(segment.address, segment.file_bytes, place)) {
      return failure.because(Code::no_memory, Foreign{name}, ": a segment ends outside the memory");
    }
    if (!read_exactly(file, place, segment.file_offset)) {
      return failure.because(Code::bad_image, Foreign{name}, ": cut short in the segment at ",
                             Hex{segment.address});
    }
  }
  return true;
}

}  // namespace tenders
