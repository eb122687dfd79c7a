#include "images/runtime/virtio/net.h"

#include <algorithm>
#include <optional>

#include "images/runtime/console.h"

namespace images::runtime::virtio {
namespace {

constexpr std::uint32_t kNetworkDevice = 1;
constexpr std::uint32_t kReceive = 0;
constexpr std::uint32_t kSend = 1;
constexpr std::uint64_t kFeatureMac = 1ULL << 5;
constexpr std::uint64_t kFeatureVersion1 = 1ULL << 32;
// virtio_net_hdr_v1: all zero in both directions, as no offload is agreed on.
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kBufferBytes = 1536 + kHeaderBytes;

using Buffers = std::array<std::array<std::uint8_t, kBufferBytes>, kQueueSize>;

std::optional<Device> device;
std::uint32_t line;
Queue receive_queue;
Queue send_queue;
alignas(64) Buffers receive_buffers;
alignas(64) Buffers send_buffers;
std::array<std::uint16_t, kQueueSize> free_sends;
std::size_t free_send_count = 0;

bool has_address(const Device& candidate, std::span<const std::uint8_t, 6> mac) {
  for (std::size_t i = 0; i < mac.size(); ++i) {
    if (candidate.config_byte(i) != mac[i]) return false;
  }
  return true;
}

void fill_queues() {
  for (std::uint16_t i = 0; i < kQueueSize; ++i) {
    receive_queue.descriptors[i] = {reinterpret_cast<std::uint64_t>(receive_buffers[i].data()),
                                    kBufferBytes, kDeviceWrites, 0};
    receive_queue.offer(i);
    send_queue.descriptors[i] = {reinterpret_cast<std::uint64_t>(send_buffers[i].data()), 0, 0, 0};
    free_sends[i] = i;
  }
  free_send_count = kQueueSize;
  send_queue.available.flags = 1;  // sent buffers are collected at the next send
}

}  // namespace

bool open_network(std::span<const DevicePlace> places, std::span<const std::uint8_t, 6> mac) {
  for (const DevicePlace& place : places) {
    Device candidate(place.address);
    if (!candidate.is(kNetworkDevice) || !has_address(candidate, mac)) continue;
    if (!candidate.negotiate(kFeatureMac | kFeatureVersion1)) {
      panic("the network device is older than virtio 1.0 (QEMU: force-legacy=false)");
    }
    RUNTIME_ASSERT(candidate.set_queue(kReceive, receive_queue));
    RUNTIME_ASSERT(candidate.set_queue(kSend, send_queue));
    fill_queues();
    device = candidate;
    line = place.line;
    device->set_ready();
    device->notify(kReceive);
    return true;
  }
  return false;
}

std::uint32_t network_line() { return line; }

bool send_frame(std::span<const std::uint8_t> frame) {
  if (!device || frame.size() + kHeaderBytes > kBufferBytes) return false;
  UsedElement done;
  while (send_queue.take_used(done)) {
    RUNTIME_ASSERT(free_send_count < kQueueSize);
    free_sends[free_send_count++] = static_cast<std::uint16_t>(done.id);
  }
  if (free_send_count == 0) return false;
  const std::uint16_t id = free_sends[--free_send_count];
  std::copy(frame.begin(), frame.end(), send_buffers[id].begin() + kHeaderBytes);
  send_queue.descriptors[id].size_bytes = static_cast<std::uint32_t>(frame.size() + kHeaderBytes);
  send_queue.offer(id);
  device->notify(kSend);
  return true;
}

std::size_t receive_frame(std::span<std::uint8_t> buffer) {
  UsedElement element;
  while (device && receive_queue.take_used(element)) {
    const auto id = static_cast<std::uint16_t>(element.id);
    const std::size_t size = element.size_bytes > kHeaderBytes && element.size_bytes <= kBufferBytes
                                 ? element.size_bytes - kHeaderBytes
                                 : 0;
    const bool fits = size <= buffer.size();
    const std::uint8_t* frame = receive_buffers[id].data() + kHeaderBytes;
    if (fits) std::copy(frame, frame + size, buffer.begin());
    receive_queue.offer(id);
    device->notify(kReceive);
    if (fits && size > 0) return size;
  }
  return 0;
}

bool frame_waits() { return device && receive_queue.has_used(); }

void acknowledge_network() {
  if (device) device->acknowledge();
}

}  // namespace images::runtime::virtio
