// A virtio network device: one receive and one send queue over fixed buffers, no offloads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/runtime/virtio/mmio.h"

namespace images::runtime::virtio {

inline constexpr std::size_t kMaxFrameBytes = 1536;

/// One open device with its queues and buffers, about 200 KiB that the device reads and writes: it
/// is made once, lives for ever and does not move.
class Network {
 public:
  /// Find the device with this address among the places and bring it up. False: it is not there.
  bool open(std::span<const DevicePlace> places, std::span<const std::uint8_t, 6> mac);

  /// The line that it interrupts on; this and all below only once it is open.
  std::uint32_t line() const { return place_.line; }
  bool send(std::span<const std::uint8_t> frame);
  std::size_t receive(std::span<std::uint8_t> buffer);
  bool frame_waits() const { return receive_queue_.has_used(); }
  /// From the interrupt handler.
  void acknowledge() { device().acknowledge(); }

 private:
  // virtio_net_hdr_v1: all zero in both directions, as no offload is agreed on.
  static constexpr std::size_t kHeaderBytes = 12;
  static constexpr std::size_t kBufferBytes = kMaxFrameBytes + kHeaderBytes;
  using Buffers = std::array<std::array<std::uint8_t, kBufferBytes>, kQueueSize>;

  Device device() const { return Device(place_.address); }
  void fill_queues();

  DevicePlace place_;
  Queue receive_queue_;
  Queue send_queue_;
  alignas(64) Buffers receive_buffers_;
  alignas(64) Buffers send_buffers_;
  std::array<std::uint16_t, kQueueSize> free_sends_;
  std::size_t free_send_count_ = 0;
};

}  // namespace images::runtime::virtio
