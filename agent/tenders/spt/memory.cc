#include "agent/tenders/spt/memory.h"

#include <linux/errno.h>
#include <linux/mman.h>

#include "agent/tenders/sys.h"

namespace tenders::spt {
namespace {

namespace abi = images::abi;
using proto::Code;

int rights_of(std::uint32_t flags) {
  int rights = 0;
  if ((flags & abi::kSegmentRead) != 0) rights |= PROT_READ;
  if ((flags & abi::kSegmentWrite) != 0) rights |= PROT_WRITE;
  if ((flags & abi::kSegmentExecute) != 0) rights |= PROT_EXEC;
  return rights;
}

template <typename T>
void put(std::span<std::uint8_t> to, std::size_t offset, const T* from, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  for (std::size_t i = 0; i < size; ++i) to[offset + i] = bytes[i];
}

}  // namespace

bool map_memory(std::uint64_t size_bytes, bool executable, GuestMemory& memory, Failure& failure) {
  const std::uint64_t first = abi::kGuestFirstPage;
  const int rights = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0);
  const long mapped =
      sys::map(first, size_bytes - first, rights,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE);
  if (mapped == static_cast<long>(first)) {
    memory = GuestMemory(nullptr, size_bytes);  // guest address = host address
    return true;
  }
  if (mapped == -EEXIST || mapped > 0) {
    return failure.because(Code::conflict, "--mem: ", size_bytes >> 20,
                           " MiB reach into the tender's own memory; give less");
  }
  if (mapped == -EPERM) {
    return failure.because(Code::conflict, "the host forbids memory at ", Hex{first},
                           ": sysctl vm.mmap_min_addr must be at most ", first);
  }
  return failure.because(Code::no_memory, size_bytes >> 20, " MiB of guest memory: ",
                         sys::error_text(mapped));
}

bool protect_memory(const Image& image, Failure& failure) {
  const std::uint64_t low = abi::kGuestImageStart - abi::kGuestFirstPage;
  long result = sys::protect(abi::kGuestFirstPage, low, PROT_READ);
  for (std::size_t i = 0; i < image.segment_count && result >= 0; ++i) {
    const Segment& segment = image.segments[i];
    result = sys::protect(segment.begin, segment.end - segment.begin, rights_of(segment.flags));
  }
  if (result >= 0) return true;
  return failure.because(Code::io, "protecting the guest's memory: ", sys::error_text(result));
}

std::uint64_t write_boot_info(const Prepared& prepared, const WaitSet& set,
                              const GuestMemory& memory) {
  abi::Manifest manifest = prepared.image.manifest;
  for (std::uint32_t i = 1; i < manifest.entry_count; ++i) {
    manifest.entries[i].descriptor = static_cast<std::uint64_t>(prepared.devices[i].descriptor);
  }
  const std::size_t manifest_size = abi::manifest_bytes(manifest.entry_count);
  const std::size_t command_line_at = sizeof(abi::SptBootInfo) + manifest_size;
  const std::size_t whole = command_line_at + abi::kMaxCommandLineBytes;
  std::span<std::uint8_t> place;
  // Below the image and far from its end: there is always room.
  if (!memory.prepare(abi::kSptBootInfo, whole, place)) sys::exit(1);
  const abi::SptBootInfo info{memory.size_bytes(), prepared.image.end,
                              abi::kSptBootInfo + command_line_at,
                              abi::kSptBootInfo + sizeof info, set.epoll, set.timer};
  put(place, 0, &info, sizeof info);
  put(place, sizeof info, &manifest, manifest_size);
  put(place, command_line_at, prepared.options.command_line.data(),
      prepared.options.command_line_bytes + 1);
  return abi::kSptBootInfo + whole;
}

}  // namespace tenders::spt
