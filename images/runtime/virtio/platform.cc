// The platform `virtio` on x86_64: a machine as QEMU's microvm gives it, entered by PVH.
#include "images/runtime/platform.h"

#include <algorithm>
#include <array>

#include "images/abi/config_volume.h"
#include "images/abi/exit_codes.h"
#include "images/abi/pvh.h"
#include "images/runtime/arena.h"
#include "images/runtime/begin.h"
#include "images/runtime/console.h"
#include "images/runtime/start.h"
#include "images/runtime/virtio/mmio.h"
#include "images/runtime/virtio/net.h"
#include "images/runtime/x86_64/apic.h"
#include "images/runtime/x86_64/clock.h"
#include "images/runtime/x86_64/cpu.h"
#include "images/runtime/x86_64/memory.h"
#include "images/runtime/x86_64/serial.h"
#include "images/runtime/x86_64/traps.h"

extern "C" {
[[noreturn]] void machine_start(const images::abi::HvmStartInfo* info);
}

namespace images::runtime::platform {
namespace {

constexpr std::uint64_t kMappedBytes = 1ULL << 32;
constexpr std::size_t kMaxCommandLine = 2048;

std::span<const std::uint8_t> volume;
std::span<std::uint8_t> memory;
std::array<virtio::DevicePlace, virtio::kMaxDevices> devices;
std::size_t device_count = 0;
std::array<virtio::Network*, kMaxPorts> ports{};  // nullptr: not open

void acknowledge_ports() {
  for (virtio::Network* port : ports) {
    if (port != nullptr) port->acknowledge();
  }
}

bool frame_waits() {
  return std::any_of(ports.begin(), ports.end(), [](const virtio::Network* port) {
    return port != nullptr && port->frame_waits();
  });
}

/// True if [address, address + size) is memory that we can read.
bool is_mapped(std::uint64_t address, std::uint64_t size) {
  return address >= 4096 && address < kMappedBytes && size <= kMappedBytes - address;
}

void read_devices(const abi::HvmStartInfo& info) {
  if (!is_mapped(info.command_line_address, kMaxCommandLine)) return;
  const auto* text = reinterpret_cast<const char*>(info.command_line_address);
  const std::size_t size =
      static_cast<std::size_t>(std::find(text, text + kMaxCommandLine, '\0') - text);
  device_count = virtio::find_devices({text, size}, devices);
}

void read_module(const abi::HvmStartInfo& info) {
  if (info.module_count == 0) return;
  if (!is_mapped(info.module_list_address, sizeof(abi::HvmModule))) return;
  const auto& module = *reinterpret_cast<const abi::HvmModule*>(info.module_list_address);
  if (!is_mapped(module.address, module.size_bytes)) panic("the config volume is out of reach");
  // Hosts put modules at the end of memory; the boot code has cleared what our .bss covers.
  if (module.address < x86::image_end_address()) {
    panic("image and config volume do not fit into the memory: give the app more");
  }
  volume = {reinterpret_cast<const std::uint8_t*>(module.address), module.size_bytes};
}

/// The RAM from the end of the image to the end of its range, or to the config volume in it.
void find_memory(const abi::HvmStartInfo& info) {
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
    memory = {reinterpret_cast<std::uint8_t*>(begin), end - begin};
    return;
  }
  panic("no memory behind the image");
}

}  // namespace

void console_write(std::string_view text) { x86::serial_write(text); }

std::uint64_t monotonic_ms() { return x86::clock_ms(); }

std::uint64_t ticks() { return x86::read_tsc(); }

std::span<const std::uint8_t> config_volume() { return volume; }

std::span<std::uint8_t> free_memory() { return memory; }

bool net_open(std::size_t port, std::span<const std::uint8_t, 6> mac) {
  Arena place(memory);
  auto* network = place.make<virtio::Network>();
  if (network == nullptr || !network->open({devices.data(), device_count}, mac)) return false;
  memory = memory.subspan(place.used_bytes());
  ports[port] = network;
  x86::on_device_interrupt(acknowledge_ports);
  x86::route_line(network->line());
  return true;
}

Volume find_volume(std::string_view) { return {}; }

bool volume_read(const Volume&, std::uint64_t, std::span<std::uint8_t>) { return false; }

bool volume_write(const Volume&, std::uint64_t, std::span<const std::uint8_t>) { return false; }

bool net_send(std::size_t port, std::span<const std::uint8_t> frame) {
  return ports[port]->send(frame);
}

std::size_t net_receive(std::size_t port, std::span<std::uint8_t> buffer) {
  return ports[port]->receive(buffer);
}

void wait_for_work(std::uint64_t deadline_ms) {
  x86::interrupts_off();
  if (frame_waits() || x86::clock_ms() >= deadline_ms) {
    x86::interrupts_on();
    return;
  }
  x86::wake_at(deadline_ms);
  x86::sleep_until_interrupt();
}

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
  runtime::platform::read_devices(*info);
  runtime::platform::read_module(*info);
  runtime::platform::find_memory(*info);
  runtime::start();
}
