// The platform `virtio`: network and block devices over MMIO, on whatever machine is under it.
#include "images/runtime/platform.h"

#include <algorithm>
#include <array>

#include "images/runtime/arena.h"
#include "images/runtime/start.h"
#include "images/runtime/virtio/block.h"
#include "images/runtime/virtio/machine.h"
#include "images/runtime/virtio/net.h"

namespace images::runtime {
namespace {

virtio::Machine machine;
std::array<virtio::Network*, platform::kMaxPorts> ports{};  // nullptr: not open
constexpr std::size_t kMaxVolumes = 8;
std::array<virtio::Block, kMaxVolumes> volumes;
bool volumes_are_open = false;

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

void open_volumes() {
  volumes_are_open = true;
  auto next = volumes.begin();
  for (const virtio::DevicePlace& place : machine.devices) {
    if (next == volumes.end()) return;
    if (next->open(place)) ++next;
  }
}

}  // namespace

void virtio::run(const Machine& found) {
  machine = found;
  start();
}

}  // namespace images::runtime

namespace images::runtime::platform {

std::span<const std::uint8_t> config_volume() { return machine.volume; }

std::span<std::uint8_t> free_memory() { return machine.memory; }

bool net_open(std::size_t port, std::span<const std::uint8_t, 6> mac) {
  Arena place(machine.memory);
  auto* network = place.make<virtio::Network>();
  if (network == nullptr || !network->open(machine.devices, mac)) return false;
  machine.memory = machine.memory.subspan(place.used_bytes());
  ports[port] = network;
  virtio::wake_on(network->line(), acknowledge_ports);
  return true;
}

Volume find_volume(std::string_view name) {
  if (!volumes_are_open) open_volumes();
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    if (!volumes[i].is_open() || !volumes[i].is_named(name)) continue;
    return {static_cast<std::uint32_t>(i + 1), virtio::kSectorBytes, volumes[i].capacity_bytes()};
  }
  return {};
}

bool volume_read(const Volume& volume, std::uint64_t offset, std::span<std::uint8_t> block) {
  return volumes[volume.handle - 1].read(offset, block);
}

bool volume_write(const Volume& volume, std::uint64_t offset,
                  std::span<const std::uint8_t> block) {
  return volumes[volume.handle - 1].write(offset, block);
}

bool net_send(std::size_t port, std::span<const std::uint8_t> frame) {
  return ports[port]->send(frame);
}

std::size_t net_receive(std::size_t port, std::span<std::uint8_t> buffer) {
  return ports[port]->receive(buffer);
}

void wait_for_work(std::uint64_t deadline_ms) { virtio::sleep_until(deadline_ms, frame_waits); }

}  // namespace images::runtime::platform
