#include "images/runtime/aarch64/memory.h"

#include <array>

#include "images/runtime/stack.h"

extern "C" {
// Laid out by image.ld.
extern std::uint8_t image_start[];
extern std::uint8_t text_end[];
extern std::uint8_t rodata_end[];
extern std::uint8_t image_end[];
}

namespace images::runtime::arm64 {
namespace {

// Arm ARM, "The VMSAv8-64 translation table format descriptors"; attributes are those of entry.S.
constexpr std::uint64_t kBlock = 1;
constexpr std::uint64_t kTable = 3;
constexpr std::uint64_t kPage = 3;
constexpr std::uint64_t kCached = 1 << 2;
constexpr std::uint64_t kReadOnly = 1 << 7;
constexpr std::uint64_t kShared = 3 << 8;
constexpr std::uint64_t kAccessed = 1 << 10;
constexpr std::uint64_t kNotGlobal = 1 << 11;
constexpr std::uint64_t kNoExecute = 3ULL << 53;  // neither we nor a user

constexpr std::uint64_t kText = kCached | kReadOnly | kShared | kAccessed | kNotGlobal;
constexpr std::uint64_t kConstants = kText | kNoExecute;
constexpr std::uint64_t kData = kConstants & ~kReadOnly;
constexpr std::uint64_t kDevice = kAccessed | kNotGlobal | kNoExecute;

constexpr std::uint64_t kGibibyte = 1ULL << 30;
constexpr std::uint64_t kBlockBytes = 2 << 20;
constexpr std::uint64_t kDevicesBegin = 0x0800'0000;
constexpr std::uint64_t kDevicesEnd = 0x0c00'0000;
constexpr std::size_t kSmallPages = 2 * 512;  // 4 MiB in pages of 4 KiB, from the image's start on
// An ASID: what the CPU cached of boot_map is of another.
constexpr std::uint64_t kThisMap = 1ULL << 48;

using Table = std::array<std::uint64_t, 512>;
alignas(4096) Table gibibytes;
alignas(4096) Table device_blocks;
alignas(4096) Table memory_blocks;
alignas(4096) std::array<std::uint64_t, kSmallPages> pages;

std::uint64_t address_of(const void* place) { return reinterpret_cast<std::uint64_t>(place); }

std::uint64_t flags_for(std::uint64_t page) {
  if (in_stack_guard(page)) return 0;
  if (page < address_of(text_end)) return kPage | kText;
  if (page < address_of(rodata_end)) return kPage | kConstants;
  return kPage | kData;
}

}  // namespace

void protect_memory() {
  for (std::uint64_t at = kDevicesBegin; at < kDevicesEnd; at += kBlockBytes) {
    device_blocks[at / kBlockBytes] = at | kBlock | kDevice;
  }
  for (std::size_t i = 0; i < memory_blocks.size(); ++i) {
    memory_blocks[i] = (kMemoryBegin + i * kBlockBytes) | kBlock | kData;
  }
  const std::uint64_t image = address_of(image_start);
  for (std::size_t i = 0; i < kSmallPages; ++i) {
    const std::uint64_t page = image + i * 4096;
    const std::uint64_t flags = flags_for(page);
    pages[i] = flags == 0 ? 0 : page | flags;
  }
  const std::size_t first = (image - kMemoryBegin) / kBlockBytes;
  memory_blocks[first] = address_of(&pages[0]) | kTable;
  memory_blocks[first + 1] = address_of(&pages[512]) | kTable;
  gibibytes[0] = address_of(&device_blocks) | kTable;
  gibibytes[1] = address_of(&memory_blocks) | kTable;
  gibibytes[2] = (2 * kGibibyte) | kBlock | kData;
  gibibytes[3] = (3 * kGibibyte) | kBlock | kData;
  asm volatile("dsb ishst; msr ttbr0_el1, %0; isb; tlbi vmalle1; dsb nsh; isb"
               : : "r"(address_of(&gibibytes) | kThisMap) : "memory");
}

bool is_device_memory(std::uint64_t address) {
  return address >= kDevicesBegin && address < kDevicesEnd;
}

std::uint64_t image_end_address() { return address_of(image_end); }

}  // namespace images::runtime::arm64
