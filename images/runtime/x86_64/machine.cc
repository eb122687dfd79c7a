// QEMU's microvm, entered by PVH: where its memory, config volume and devices are, and its end.
#include <algorithm>
#include <array>

#include "images/abi/config_volume.h"
#include "images/abi/exit_codes.h"
#include "images/abi/pvh.h"
#include "images/runtime/begin.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"
#include "images/runtime/virtio/machine.h"
#include "images/runtime/x86_64/apic.h"
#include "images/runtime/x86_64/clock.h"
#include "images/runtime/x86_64/cpu.h"
#include "images/runtime/x86_64/memory.h"
#include "images/runtime/x86_64/serial.h"
#include "images/runtime/x86_64/traps.h"

extern "C" {
[[noreturn]] void machine_start(const images::abi::HvmStartInfo* info);
}

namespace images::runtime {
namespace {

constexpr std::uint64_t kMappedBytes = 1ULL << 32;
constexpr std::size_t kMaxCommandLine = 2048;

std::array<virtio::DevicePlace, virtio::kMaxDevices> devices;

/// True if [address, address + size) is memory that we can read.
bool is_mapped(std::uint64_t address, std::uint64_t size) {
  return address >= 4096 && address < kMappedBytes && size <= kMappedBytes - address;
}

std::span<const virtio::DevicePlace> read_devices(const abi::HvmStartInfo& info) {
  if (!is_mapped(info.command_line_address, kMaxCommandLine)) return {};
  const auto* text = reinterpret_cast<const char*>(info.command_line_address);
  const std::size_t size =
      static_cast<std::size_t>(std::find(text, text + kMaxCommandLine, '\0') - text);
  return {devices.data(), virtio::find_devices({text, size}, devices)};
}

std::span<const std::uint8_t> read_module(const abi::HvmStartInfo& info) {
  if (info.module_count == 0) return {};
  if (!is_mapped(info.module_list_address, sizeof(abi::HvmModule))) return {};
  const auto& module = *reinterpret_cast<const abi::HvmModule*>(info.module_list_address);
  if (!is_mapped(module.address, module.size_bytes)) panic("the config volume is out of reach");
  // Hosts put modules at the end of memory; the boot code has cleared what our .bss covers.
  if (module.address < x86::image_end_address()) {
    panic("image and config volume do not fit into the memory: give the app more");
  }
  return {reinterpret_cast<const std::uint8_t*>(module.address), module.size_bytes};
}

/// The RAM from the end of the image to the end of its range, or to the config volume in it.
std::span<std::uint8_t> find_memory(const abi::HvmStartInfo& info,
                                    std::span<const std::uint8_t> volume) {
  const std::uint64_t begin = x86::image_end_address();
  const auto volume_begin = reinterpret_cast<std::uint64_t>(volume.data());
  if (info.version < 1 || !is_mapped(info.memory_map_address, 4096)) panic("no memory map");
  const auto* ranges = reinterpret_cast<const abi::HvmMemoryRange*>(info.memory_map_address);
  for (std::uint32_t i = 0; i < std::min(info.memory_map_count, 128U); ++i) {
    const abi::HvmMemoryRange& range = ranges[i];
    if (range.type != abi::kMemoryRam || range.address > begin) continue;
    std::uint64_t end = std::min(range.address + range.size_bytes, kMappedBytes);
    if (end < begin) continue;
    if (volume_begin >= begin && volume_begin < end) end = volume_begin;
    return {reinterpret_cast<std::uint8_t*>(begin), end - begin};
  }
  panic("no memory behind the image");
}

}  // namespace

void virtio::wake_on(std::uint32_t line, void (*acknowledge)()) {
  x86::on_device_interrupt(acknowledge);
  x86::route_line(line);
}

void virtio::sleep_until(std::uint64_t deadline_ms, bool (*work_waits)()) {
  x86::interrupts_off();
  if (work_waits() || x86::clock_ms() >= deadline_ms) {
    x86::interrupts_on();
    return;
  }
  x86::wake_at(deadline_ms);
  x86::sleep_until_interrupt();
}

}  // namespace images::runtime

namespace images::runtime::platform {

void console_write(std::string_view text) { x86::serial_write(text); }

std::uint64_t monotonic_ms() { return x86::clock_ms(); }

std::uint64_t ticks() { return x86::read_tsc(); }

void exit(int status) {
  x86::out8(abi::kDebugExitPort, abi::debug_exit_value(status));
  for (;;) asm volatile("cli; hlt");
}

void abort() {
  x86::out8(abi::kDebugExitPort, abi::kAbortValue);
  for (;;) asm volatile("cli; hlt");
}

}  // namespace images::runtime::platform

/// From entry.S. Sets the stack guard, so it has no canary of its own, and never returns.
__attribute__((no_stack_protector)) void machine_start(const images::abi::HvmStartInfo* info) {
  namespace runtime = images::runtime;
  runtime::x86::serial_start();
  runtime::x86::start_traps();
  runtime::x86::protect_memory();
  runtime::mix_stack_guard(runtime::x86::read_tsc());
  runtime::run_constructors();
  if (info->magic != images::abi::kHvmStartMagic) runtime::panic("not started by PVH");
  runtime::x86::start_apic();
  runtime::x86::start_clock();
  const auto volume = runtime::read_module(*info);
  runtime::virtio::run({volume, runtime::find_memory(*info, volume), runtime::read_devices(*info)});
}
