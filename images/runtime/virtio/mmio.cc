#include "images/runtime/virtio/mmio.h"

#include <atomic>

#include "images/runtime/device_memory.h"

namespace images::runtime::virtio {
namespace {

constexpr std::uintptr_t kMagic = 0x00;
constexpr std::uintptr_t kVersion = 0x04;
constexpr std::uintptr_t kDeviceId = 0x08;
constexpr std::uintptr_t kDeviceFeatures = 0x10;
constexpr std::uintptr_t kDeviceFeaturesSelect = 0x14;
constexpr std::uintptr_t kDriverFeatures = 0x20;
constexpr std::uintptr_t kDriverFeaturesSelect = 0x24;
constexpr std::uintptr_t kQueueSelect = 0x30;
constexpr std::uintptr_t kQueueSizeMax = 0x34;
constexpr std::uintptr_t kQueueSizeNow = 0x38;
constexpr std::uintptr_t kQueueReady = 0x44;
constexpr std::uintptr_t kQueueNotify = 0x50;
constexpr std::uintptr_t kInterruptStatus = 0x60;
constexpr std::uintptr_t kInterruptAcknowledge = 0x64;
constexpr std::uintptr_t kStatus = 0x70;
constexpr std::uintptr_t kQueueDescriptors = 0x80;
constexpr std::uintptr_t kQueueDriver = 0x90;
constexpr std::uintptr_t kQueueDevice = 0xa0;
constexpr std::uintptr_t kConfig = 0x100;

constexpr std::uint32_t kMagicValue = 0x74726976;  // "virt"
constexpr std::uint32_t kAcknowledged = 1;
constexpr std::uint32_t kDriver = 2;
constexpr std::uint32_t kDriverOk = 4;
constexpr std::uint32_t kFeaturesOk = 8;

/// A number in C's notation, taken off the front of the text. False: none.
bool take_number(std::string_view& text, std::uint64_t& out) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  std::size_t digits = 0;
  out = 0;
  for (; !text.empty() && digits < 12; ++digits, text.remove_prefix(1)) {
    const char c = text.front();
    const int value = c >= '0' && c <= '9'          ? c - '0'
                      : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                    : -1;
    if (value < 0) break;
    out = out * (hex ? 16 : 10) + static_cast<std::uint64_t>(value);
  }
  return digits > 0;
}

/// SIZE@ADDRESS:LINE, a size unit allowed.
bool parse_place(std::string_view word, DevicePlace& place) {
  std::uint64_t size = 0;
  std::uint64_t address = 0;
  std::uint64_t line = 0;
  if (!take_number(word, size)) return false;
  if (word.starts_with('K')) word.remove_prefix(1);
  if (!word.starts_with('@')) return false;
  word.remove_prefix(1);
  if (!take_number(word, address) || !word.starts_with(':')) return false;
  word.remove_prefix(1);
  if (!take_number(word, line)) return false;
  if (address == 0 || address > 0xffff'f000 || line > 23) return false;
  place = {static_cast<std::uintptr_t>(address), static_cast<std::uint32_t>(line)};
  return true;
}

}  // namespace

std::size_t find_devices(std::string_view command_line,
                         std::array<DevicePlace, kMaxDevices>& places) {
  constexpr std::string_view kWord = "virtio_mmio.device=";
  std::size_t count = 0;
  while (!command_line.empty() && count < places.size()) {
    const std::size_t end = command_line.find(' ');
    std::string_view word(command_line.data(),
                          end == std::string_view::npos ? command_line.size() : end);
    command_line.remove_prefix(word.size() + (end == std::string_view::npos ? 0 : 1));
    if (!word.starts_with(kWord)) continue;
    word.remove_prefix(kWord.size());
    if (parse_place(word, places[count])) ++count;
  }
  return count;
}

void Queue::offer(std::uint16_t id) {
  available.ring[available.index % kQueueSize] = id;
  std::atomic_thread_fence(std::memory_order_release);
  std::atomic_ref(available.index).store(static_cast<std::uint16_t>(available.index + 1),
                                         std::memory_order_release);
}

bool Queue::has_used() const {
  auto& index = const_cast<std::uint16_t&>(used.index);  // atomic_ref takes no const before C++26
  return std::atomic_ref(index).load(std::memory_order_acquire) != seen;
}

bool Queue::take_used(UsedElement& out) {
  while (has_used()) {
    out = used.ring[seen % kQueueSize];
    ++seen;
    if (out.id < kQueueSize) return true;
  }
  return false;
}

std::uint32_t Device::read(std::uintptr_t offset) const {
  return read_device(address_ + offset);
}

void Device::write(std::uintptr_t offset, std::uint32_t value) const {
  write_device(address_ + offset, value);
}

void Device::write_address(std::uintptr_t offset, const void* place) const {
  const auto address = reinterpret_cast<std::uint64_t>(place);
  write(offset, static_cast<std::uint32_t>(address));
  write(offset + 4, static_cast<std::uint32_t>(address >> 32));
}

bool Device::is(std::uint32_t device_id) const {
  return read(kMagic) == kMagicValue && read(kVersion) == 2 && read(kDeviceId) == device_id;
}

bool Device::negotiate(std::uint64_t features) {
  write(kStatus, 0);
  write(kStatus, kAcknowledged);
  write(kStatus, kAcknowledged | kDriver);
  std::uint64_t offered = 0;
  for (std::uint32_t half = 0; half < 2; ++half) {
    write(kDeviceFeaturesSelect, half);
    offered |= std::uint64_t{read(kDeviceFeatures)} << (32 * half);
  }
  if ((offered & features) != features) return false;
  for (std::uint32_t half = 0; half < 2; ++half) {
    write(kDriverFeaturesSelect, half);
    write(kDriverFeatures, static_cast<std::uint32_t>(features >> (32 * half)));
  }
  write(kStatus, kAcknowledged | kDriver | kFeaturesOk);
  return (read(kStatus) & kFeaturesOk) != 0;
}

bool Device::set_queue(std::uint32_t index, const Queue& queue) {
  write(kQueueSelect, index);
  if (read(kQueueSizeMax) < kQueueSize) return false;
  write(kQueueSizeNow, kQueueSize);
  write_address(kQueueDescriptors, queue.descriptors);
  write_address(kQueueDriver, &queue.available);
  write_address(kQueueDevice, &queue.used);
  write(kQueueReady, 1);
  return true;
}

void Device::set_ready() { write(kStatus, read(kStatus) | kDriverOk); }

void Device::notify(std::uint32_t queue) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  write(kQueueNotify, queue);
}

void Device::acknowledge() { write(kInterruptAcknowledge, read(kInterruptStatus)); }

std::uint8_t Device::config_byte(std::size_t offset) const {
  return read_device_byte(address_ + kConfig + offset);
}

}  // namespace images::runtime::virtio
