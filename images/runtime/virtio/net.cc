#include "images/runtime/virtio/net.h"

#include <algorithm>

#include "images/runtime/console.h"

namespace images::runtime::virtio {
namespace {

constexpr std::uint32_t kNetworkDevice = 1;
constexpr std::uint32_t kReceive = 0;
constexpr std::uint32_t kSend = 1;
constexpr std::uint64_t kFeatureMac = 1ULL << 5;
constexpr std::uint64_t kFeatureVersion1 = 1ULL << 32;

bool has_address(const Device& candidate, std::span<const std::uint8_t, 6> mac) {
  for (std::size_t i = 0; i < mac.size(); ++i) {
    if (candidate.config_byte(i) != mac[i]) return false;
  }
  return true;
}

}  // namespace

void Network::fill_queues() {
  for (std::uint16_t i = 0; i < kQueueSize; ++i) {
    receive_queue_.descriptors[i] = {reinterpret_cast<std::uint64_t>(receive_buffers_[i].data()),
                                     kBufferBytes, kDeviceWrites, 0};
    receive_queue_.offer(i);
    send_queue_.descriptors[i] = {reinterpret_cast<std::uint64_t>(send_buffers_[i].data()), 0, 0,
                                  0};
    free_sends_[i] = i;
  }
  free_send_count_ = kQueueSize;
  send_queue_.available.flags = 1;  // sent buffers are collected at the next send
}

bool Network::open(std::span<const DevicePlace> places, std::span<const std::uint8_t, 6> mac) {
  for (const DevicePlace& place : places) {
    Device candidate(place.address);
    if (!candidate.is(kNetworkDevice) || !has_address(candidate, mac)) continue;
    if (!candidate.negotiate(kFeatureMac | kFeatureVersion1)) {
      panic("a network device is older than virtio 1.0 (QEMU: force-legacy=false)");
    }
    RUNTIME_ASSERT(candidate.set_queue(kReceive, receive_queue_));
    RUNTIME_ASSERT(candidate.set_queue(kSend, send_queue_));
    fill_queues();
    place_ = place;
    candidate.set_ready();
    candidate.notify(kReceive);
    return true;
  }
  return false;
}

bool Network::send(std::span<const std::uint8_t> frame) {
  if (frame.size() > kMaxFrameBytes) return false;
  UsedElement done;
  while (send_queue_.take_used(done)) {
    RUNTIME_ASSERT(free_send_count_ < kQueueSize);
    free_sends_[free_send_count_++] = static_cast<std::uint16_t>(done.id);
  }
  if (free_send_count_ == 0) return false;
  const std::uint16_t id = free_sends_[--free_send_count_];
  std::copy(frame.begin(), frame.end(), send_buffers_[id].begin() + kHeaderBytes);
  send_queue_.descriptors[id].size_bytes = static_cast<std::uint32_t>(frame.size() + kHeaderBytes);
  send_queue_.offer(id);
  device().notify(kSend);
  return true;
}

std::size_t Network::receive(std::span<std::uint8_t> buffer) {
  UsedElement element;
  while (receive_queue_.take_used(element)) {
    const auto id = static_cast<std::uint16_t>(element.id);
    const std::size_t size = element.size_bytes > kHeaderBytes && element.size_bytes <= kBufferBytes
                                 ? element.size_bytes - kHeaderBytes
                                 : 0;
    const bool fits = size <= buffer.size();
    const std::uint8_t* frame = receive_buffers_[id].data() + kHeaderBytes;
    if (fits) std::copy(frame, frame + size, buffer.begin());
    receive_queue_.offer(id);
    device().notify(kReceive);
    if (fits && size > 0) return size;
  }
  return 0;
}

}  // namespace images::runtime::virtio
