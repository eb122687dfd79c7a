#include "agent/tenders/hvt/memory.h"

#include <linux/mman.h>

#include "agent/tenders/sys.h"

namespace tenders::hvt {
namespace {

namespace abi = images::abi;
using proto::Code;

constexpr std::uint64_t kMaxMemoryMib = 4096;

template <typename T>
void put(std::span<std::uint8_t> to, std::size_t offset, const T* from, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  for (std::size_t i = 0; i < size; ++i) to[offset + i] = bytes[i];
}

}  // namespace

bool memory_size(std::uint64_t memory_mib, std::uint64_t& size_bytes, Failure& failure) {
  const std::uint64_t even = memory_mib & ~1ULL;
  if (even > kMaxMemoryMib) {
    return failure.because(Code::bad_argument, "--mem=", memory_mib, ": an hvt guest has at most ",
                           kMaxMemoryMib, " MiB");
  }
  size_bytes = (even == 0 ? 2 : even) << 20;
  return true;
}

void write_boot_info(const Prepared& prepared, std::uint64_t cycles_per_second,
                     const GuestMemory& memory) {
  const abi::Manifest& manifest = prepared.image.manifest;
  const std::size_t manifest_size = abi::manifest_bytes(manifest.entry_count);
  const std::size_t command_line_at = sizeof(abi::HvtBootInfo) + manifest_size;
  std::span<std::uint8_t> place;
  // Below the image and far from its end: there is always room.
  if (!memory.prepare(abi::kHvtBootInfo, command_line_at + abi::kMaxCommandLineBytes, place)) {
    sys::exit(1);
  }
  const abi::HvtBootInfo info{memory.size_bytes(),
                              prepared.image.end,
                              cycles_per_second,
                              abi::kHvtBootInfo + command_line_at,
                              abi::kHvtBootInfo + sizeof info,
                              0,
                              0,
                              0};
  put(place, 0, &info, sizeof info);
  put(place, sizeof info, &manifest, manifest_size);
  put(place, command_line_at, prepared.options.command_line.data(),
      prepared.options.command_line_bytes + 1);
}

bool protect_memory(const Image& image, const Vm& vm, GuestMemory& memory, Failure& failure) {
  // Tables lie in the first 64 KiB; the CPU itself must write there (accessed bits), nobody else.
  bool done = memory.restrict_range(0, abi::kGuestFirstPage, false) &&
              memory.restrict_range(abi::kGuestFirstPage, abi::kGuestImageStart, true);
  for (std::size_t i = 0; i < image.segment_count && done; ++i) {
    const Segment& segment = image.segments[i];
    const bool writable = (segment.flags & abi::kSegmentWrite) != 0;
    const bool readable = segment.flags != 0;
    if (!writable) done = memory.restrict_range(segment.begin, segment.end, readable);
    const int rights = (readable ? PROT_READ : 0) | (writable ? PROT_WRITE : 0);
    const auto place = reinterpret_cast<std::uint64_t>(vm.memory) + segment.begin;
    const long result = sys::protect(place, segment.end - segment.begin, rights);
    if (result < 0) {
      return failure.because(Code::io, "protecting the guest's memory: ",
                             sys::error_text(result));
    }
  }
  return done || failure.because(Code::too_large, "too many segments to protect");
}

}  // namespace tenders::hvt
