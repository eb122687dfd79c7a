#include "images/runtime/solo5/devices.h"

#include <algorithm>
#include <array>

#include "images/abi/config_volume.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"

extern "C" {
extern std::uint8_t image_end[];
// For solo5_entry.S, by the name that the assembler is told below. image.ld puts it right behind
// the constants, which tenders protect: what grows beyond it writes there and faults.
[[gnu::section(".bss.stack"), gnu::used]] alignas(16) std::uint8_t solo5_stack[128 * 1024];
asm(".globl stack_top\n.set stack_top, solo5_stack + 128 * 1024");
}

namespace images::runtime::solo5 {
namespace {

const abi::Manifest* manifest = nullptr;
std::span<std::uint8_t> memory;
std::span<const std::uint8_t> volume;
std::array<std::uint32_t, platform::kMaxPorts> open_ports{};

std::uint32_t find(std::string_view name, std::uint32_t type) {
  for (std::uint32_t i = 1; i < manifest->entry_count; ++i) {
    const abi::ManifestEntry& entry = manifest->entries[i];
    if (entry.type == type && name == std::string_view(entry.name)) return i;
  }
  return 0;
}

/// Read all of the config volume to the start of the free memory.
void read_volume() {
  const std::uint32_t handle = find(kConfigDevice, abi::kDeviceBlock);
  if (handle == 0) return;
  const abi::ManifestEntry& device = manifest->entries[handle];
  const std::uint64_t size = device.block.capacity_bytes;
  const std::uint64_t step = device.block.block_bytes;
  if (size > abi::kMaxVolumeBytes) panic("the config volume is larger than 8 MiB");
  if (size > memory.size()) panic("the config volume does not fit: give the app more memory");
  for (std::uint64_t offset = 0; offset < size; offset += step) {
    if (!read_block(device, handle, offset, memory.subspan(offset, step))) {
      panic("the config volume cannot be read");
    }
  }
  volume = memory.first(size);
  memory = memory.subspan(size);
}

}  // namespace

void take_boot_info(const abi::Manifest& from_host, std::uint64_t memory_bytes) {
  manifest = &from_host;
  const auto begin = reinterpret_cast<std::uint64_t>(image_end);
  if (memory_bytes < begin) panic("too little memory: give the app more");
  memory = {image_end, memory_bytes - begin};
  read_volume();
}

std::uint32_t net_handle(std::size_t port) { return open_ports[port]; }

int net_descriptor(std::size_t port) {
  return static_cast<int>(manifest->entries[open_ports[port]].descriptor);
}

}  // namespace images::runtime::solo5

namespace images::runtime::platform {

std::span<const std::uint8_t> config_volume() { return solo5::volume; }

std::span<std::uint8_t> free_memory() { return solo5::memory; }

Volume find_volume(std::string_view name) {
  const std::uint32_t handle = solo5::find(name, abi::kDeviceBlock);
  if (handle == 0) return {};
  const abi::BlockProperties& block = solo5::manifest->entries[handle].block;
  return {handle, block.block_bytes, block.capacity_bytes};
}

bool volume_read(const Volume& volume, std::uint64_t offset, std::span<std::uint8_t> block) {
  return solo5::read_block(solo5::manifest->entries[volume.handle], volume.handle, offset, block);
}

bool volume_write(const Volume& volume, std::uint64_t offset,
                  std::span<const std::uint8_t> block) {
  return solo5::write_block(solo5::manifest->entries[volume.handle], volume.handle, offset, block);
}

bool net_open(std::size_t port, std::span<const std::uint8_t, 6> mac) {
  for (std::uint32_t i = 1; i < solo5::manifest->entry_count; ++i) {
    const abi::ManifestEntry& entry = solo5::manifest->entries[i];
    if (entry.type != abi::kDeviceNet) continue;
    if (!std::equal(mac.begin(), mac.end(), entry.net.mac)) continue;
    solo5::open_ports[port] = i;
    return true;
  }
  return false;
}

}  // namespace images::runtime::platform
