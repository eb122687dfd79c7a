// QEMU's virt, entered by Linux's boot protocol: where its memory, config volume and devices are,
// and its end.
#include <algorithm>
#include <cstring>

#include "images/abi/exit_codes.h"
#include "images/runtime/aarch64/clock.h"
#include "images/runtime/aarch64/gic.h"
#include "images/runtime/aarch64/memory.h"
#include "images/runtime/aarch64/serial.h"
#include "images/runtime/aarch64/traps.h"
#include "images/runtime/begin.h"
#include "images/runtime/console.h"
#include "images/runtime/counter.h"
#include "images/runtime/platform.h"
#include "images/runtime/virtio/device_tree.h"
#include "images/runtime/virtio/machine.h"

extern "C" {
[[noreturn]] void machine_start(std::uint64_t tree_address);
}

namespace images::runtime {
namespace {

constexpr std::uint64_t kMaxTreeBytes = 2 << 20;  // by the boot protocol

virtio::DeviceTree tree;
void (*acknowledge_devices)() = nullptr;

std::uint8_t* place_at(std::uint64_t address) { return reinterpret_cast<std::uint8_t*>(address); }

void read_tree(std::uint64_t address) {
  if (address < arm64::kMemoryBegin || address >= arm64::kMemoryEnd) {
    panic("not started as an arm64 Image: there is no device tree");
  }
  const std::uint64_t size = std::min(kMaxTreeBytes, arm64::kMemoryEnd - address);
  const std::string_view wrong = virtio::read_device_tree({place_at(address), size}, tree);
  if (!wrong.empty()) {
    print("runtime: the device tree cannot be read: ", wrong);
    panic("the machine does not say what it has");
  }
  const auto end = std::remove_if(
      tree.devices.begin(), tree.devices.begin() + tree.device_count,
      [](const virtio::DevicePlace& place) { return !arm64::is_device_memory(place.address); });
  tree.device_count = static_cast<std::size_t>(end - tree.devices.begin());
}

/// The volume, moved to right behind the image: so all memory behind it is one piece. The host puts
/// volume and device tree into its middle.
virtio::Machine lay_out() {
  const std::uint64_t begin = arm64::image_end_address();
  const virtio::AddressRange& ram = tree.memory;
  const std::uint64_t end = std::min(ram.address + ram.size_bytes, arm64::kMemoryEnd);
  if (ram.address > begin || end <= begin) panic("no memory behind the image");
  const virtio::AddressRange& volume = tree.initrd;
  if (volume.size_bytes != 0 && (volume.address < begin || volume.address >= end ||
                                 volume.size_bytes > end - volume.address)) {
    panic("the config volume is out of reach");
  }
  std::memmove(place_at(begin), place_at(volume.address), volume.size_bytes);
  const std::uint64_t free = (begin + volume.size_bytes + 15) & ~std::uint64_t{15};
  return {.volume = {place_at(begin), volume.size_bytes},
          .memory = {place_at(free), end > free ? end - free : 0},
          .devices = {tree.devices.data(), tree.device_count}};
}

/// PSCI (ARM DEN 0022), SYSTEM_OFF.
[[noreturn]] void power_off() {
  register std::uint64_t function asm("x0") = 0x8400'0008;
  if (tree.power_by_smc) {
    asm volatile("smc #0" : "+r"(function) : : "memory");
  } else {
    asm volatile("hvc #0" : "+r"(function) : : "memory");
  }
  for (;;) asm volatile("wfi");
}

}  // namespace

void virtio::wake_on(std::uint32_t line, void (*acknowledge)()) {
  acknowledge_devices = acknowledge;
  arm64::enable_interrupt(line);
}

void virtio::sleep_until(std::uint64_t deadline_ms, bool (*work_waits)()) {
  if (work_waits() || arm64::clock_ms() >= deadline_ms) return;
  arm64::start_timer(deadline_ms);
  asm volatile("dsb sy; wfi" : : : "memory");  // what is pending already ends it at once
  arm64::stop_timer();
  std::uint32_t number = 0;
  while (arm64::take_interrupt(number)) {
    if (acknowledge_devices != nullptr) acknowledge_devices();
    arm64::end_interrupt(number);
  }
}

}  // namespace images::runtime

namespace images::runtime::platform {

void console_write(std::string_view text) { arm64::serial_write(text); }

std::uint64_t monotonic_ms() { return arm64::clock_ms(); }

std::uint64_t ticks() { return read_counter(); }

void exit(int status) {
  print(abi::kEndedWords, abi::told_exit_status(status));
  power_off();
}

void abort() { power_off(); }

}  // namespace images::runtime::platform

/// From entry.S. Sets the stack guard, so it has no canary of its own, and never returns.
__attribute__((no_stack_protector)) void machine_start(std::uint64_t tree_address) {
  namespace runtime = images::runtime;
  runtime::arm64::start_traps();
  runtime::arm64::protect_memory();
  runtime::mix_stack_guard(runtime::read_counter());
  runtime::run_constructors();
  runtime::arm64::start_clock();
  runtime::read_tree(tree_address);
  if (!runtime::arm64::start_gic(runtime::tree)) runtime::panic("no interrupt controller");
  runtime::arm64::enable_interrupt(runtime::arm64::kTimerInterrupt);
  runtime::virtio::run(runtime::lay_out());
}
