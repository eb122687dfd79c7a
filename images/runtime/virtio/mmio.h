// Virtio over MMIO, version 2 (virtio 1.2, sections 2.7 and 4.2): finding devices and their queues.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::runtime::virtio {

inline constexpr std::size_t kMaxDevices = 32;
inline constexpr std::uint16_t kQueueSize = 64;

struct DevicePlace {
  std::uintptr_t address = 0;
  std::uint32_t line = 0;  // interrupt
};

/// The devices that the command line names as `virtio_mmio.device=SIZE@ADDRESS:LINE`. Words that
/// are not well-formed, and what is over the limit, are skipped. Returns how many were found.
std::size_t find_devices(std::string_view command_line,
                         std::array<DevicePlace, kMaxDevices>& places);

// The three parts of a split queue, as the device reads and writes them.
struct Descriptor {
  std::uint64_t address;
  std::uint32_t size_bytes;
  std::uint16_t flags;
  std::uint16_t next;
};
inline constexpr std::uint16_t kMoreFollows = 1;  // the descriptor `next` belongs to it
inline constexpr std::uint16_t kDeviceWrites = 2;

struct AvailableRing {
  std::uint16_t flags;  // 1: no interrupt wanted
  std::uint16_t index;
  std::uint16_t ring[kQueueSize];
};

struct UsedElement {
  std::uint32_t id;
  std::uint32_t size_bytes;
};

struct UsedRing {
  std::uint16_t flags;
  std::uint16_t index;
  UsedElement ring[kQueueSize];
};

/// One queue in our memory. What belongs to a descriptor, alone or as the head of a chain, is its
/// user's to say.
struct Queue {
  alignas(16) Descriptor descriptors[kQueueSize];
  alignas(4) AvailableRing available;
  alignas(4) UsedRing used;
  std::uint16_t seen = 0;  // of used.index

  /// Offer a buffer to the device, by its descriptor.
  void offer(std::uint16_t id);
  /// True if the device has given something back.
  bool has_used() const;
  /// Take what it gave back. False: nothing. What lies outside the queue is skipped.
  bool take_used(UsedElement& out);
};

/// One device's registers.
class Device {
 public:
  explicit Device(std::uintptr_t address) : address_(address) {}

  /// True if a version 2 device of that kind is there (1 = network).
  bool is(std::uint32_t device_id) const;
  /// Reset it and agree on features. False: it does not offer all of them.
  bool negotiate(std::uint64_t features);
  /// Tell it where a queue lies. False: the queue is too small for kQueueSize.
  bool set_queue(std::uint32_t index, const Queue& queue);
  /// It may work from here on.
  void set_ready();
  void notify(std::uint32_t queue);
  /// Read and clear the causes of its interrupt.
  void acknowledge();
  std::uint8_t config_byte(std::size_t offset) const;

 private:
  std::uint32_t read(std::uintptr_t offset) const;
  void write(std::uintptr_t offset, std::uint32_t value) const;
  void write_address(std::uintptr_t offset, const void* place) const;

  std::uintptr_t address_;
};

}  // namespace images::runtime::virtio
