// From the kernel to tender_main() without a C library: relocate ourselves, protect what that
// wrote, choose a stack guard. There are no constructors to run: the build allows none.
#include "agent/tenders/start.h"

#include <asm/unistd.h>
#include <linux/auxvec.h>
#include <linux/mman.h>

#include "agent/tenders/sys.h"
#include "images/abi/elf.h"

#define TENDER_HIDDEN __attribute__((visibility("hidden")))

extern "C" {
struct ElfDynamic {
  std::int64_t tag;
  std::uint64_t value;
};
struct ElfRelocation {
  std::uint64_t offset;
  std::uint64_t kind;
  std::uint64_t addend;
};
TENDER_HIDDEN extern const ElfDynamic _DYNAMIC[];
TENDER_HIDDEN extern const images::abi::ElfHeader __ehdr_start;
TENDER_HIDDEN extern std::uintptr_t __stack_chk_guard;
std::uintptr_t __stack_chk_guard = 0;
TENDER_HIDDEN void tender_start(const std::uint64_t* stack);
}

namespace tenders {
namespace {

constexpr std::int64_t kDynamicRelocations = 7;  // DT_RELA
constexpr std::int64_t kDynamicSize = 8;         // DT_RELASZ
constexpr std::uint32_t kSegmentRelro = 0x6474e552;
constexpr std::uint64_t kPageMask = 4095;

/// Every relocation of a static program without a C library is "base + addend". Runs before any
/// pointer in our data is right.
__attribute__((no_stack_protector)) void relocate(std::uint64_t base) {
  std::uint64_t table = 0;
  std::uint64_t size = 0;
  for (const ElfDynamic* entry = _DYNAMIC; entry->tag != 0; ++entry) {
    if (entry->tag == kDynamicRelocations) table = entry->value;
    if (entry->tag == kDynamicSize) size = entry->value;
  }
  for (std::uint64_t at = 0; at < size; at += sizeof(ElfRelocation)) {
    const auto* relocation = reinterpret_cast<const ElfRelocation*>(base + table + at);
    *reinterpret_cast<std::uint64_t*>(base + relocation->offset) = base + relocation->addend;
  }
}

void protect_relocated(std::uint64_t base) {
  const auto* segments =
      reinterpret_cast<const images::abi::ElfSegment*>(base + __ehdr_start.segments_offset);
  for (std::size_t i = 0; i < __ehdr_start.segment_count; ++i) {
    if (segments[i].type != kSegmentRelro) continue;
    const std::uint64_t begin = (base + segments[i].address) & ~kPageMask;
    const std::uint64_t end = (base + segments[i].address + segments[i].memory_bytes) & ~kPageMask;
    if (end > begin) sys::protect(begin, end - begin, PROT_READ);
  }
}

}  // namespace
}  // namespace tenders

/// stack: argument count, arguments, NULL, environment, NULL, auxiliary vector.
__attribute__((no_stack_protector)) void tender_start(const std::uint64_t* stack) {
  using namespace tenders;
  const auto base = reinterpret_cast<std::uint64_t>(&__ehdr_start);
  relocate(base);
  StartInfo start;
  start.started_ns = sys::now_ns(sys::kMonotonic);
  start.arguments = {reinterpret_cast<const char* const*>(stack + 1),
                     static_cast<std::size_t>(stack[0])};
  const std::uint64_t* next = stack + 1 + stack[0] + 1;
  while (*next != 0) ++next;
  for (++next; next[0] != AT_NULL; next += 2) {
    if (next[0] == AT_PAGESZ) start.page_bytes = next[1];
    // The low byte stays 0: it ends strings.
    if (next[0] == AT_RANDOM) {
      __stack_chk_guard = *reinterpret_cast<const std::uint64_t*>(next[1]) << 8;
    }
  }
  protect_relocated(base);
  sys::exit(tender_main(start));
}
