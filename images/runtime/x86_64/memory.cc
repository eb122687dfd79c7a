#include "images/runtime/x86_64/memory.h"

#include <array>

#include "images/runtime/stack.h"
#include "images/runtime/x86_64/cpu.h"

extern "C" {
// Filled by entry.S, which also starts on this stack.
alignas(4096) std::uint64_t page_map_level4[512];
alignas(4096) std::uint64_t page_directory_pointers[512];
alignas(4096) std::uint64_t page_directories[4 * 512];
// Laid out by image.ld.
extern std::uint8_t text_start[];
extern std::uint8_t text_end[];
extern std::uint8_t rodata_end[];
extern std::uint8_t image_end[];
}

namespace images::runtime::x86 {
namespace {

constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kWritable = 2;
constexpr std::uint64_t kNoExecute = 1ULL << 63;
constexpr std::size_t kSmallPages = 2 * 512;  // 4 MiB in pages of 4 KiB

alignas(4096) std::array<std::uint64_t, kSmallPages> page_tables;

std::uint64_t address_of(const void* place) { return reinterpret_cast<std::uint64_t>(place); }

std::uint64_t flags_for(std::uint64_t page) {
  if (page == 0 || in_stack_guard(page)) return 0;
  if (page < address_of(text_start)) return kPresent | kWritable | kNoExecute;
  if (page < address_of(text_end)) return kPresent;
  if (page < address_of(rodata_end)) return kPresent | kNoExecute;
  return kPresent | kWritable | kNoExecute;
}

}  // namespace

void protect_memory() {
  for (std::size_t i = 0; i < kSmallPages; ++i) {
    const std::uint64_t page = i * 4096;
    const std::uint64_t flags = flags_for(page);
    page_tables[i] = flags == 0 ? 0 : page | flags;
  }
  page_directories[0] = address_of(&page_tables[0]) | kPresent | kWritable;
  page_directories[1] = address_of(&page_tables[512]) | kPresent | kWritable;
  for (std::size_t i = 2; i < 4 * 512; ++i) page_directories[i] |= kNoExecute;
  asm volatile("mov %0, %%cr3" : : "r"(address_of(page_map_level4)) : "memory");
}

std::uint64_t image_end_address() { return address_of(image_end); }

}  // namespace images::runtime::x86
