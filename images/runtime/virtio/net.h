// The virtio network device: one receive and one send queue over fixed buffers, no offloads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/runtime/virtio/mmio.h"

namespace images::runtime::virtio {

/// Find the device with this address among the places and bring it up. False: it is not there.
bool open_network(std::span<const DevicePlace> places, std::span<const std::uint8_t, 6> mac);

/// The line that the open device interrupts on; only after open_network().
std::uint32_t network_line();

bool send_frame(std::span<const std::uint8_t> frame);
std::size_t receive_frame(std::span<std::uint8_t> buffer);
bool frame_waits();

/// From the interrupt handler.
void acknowledge_network();

}  // namespace images::runtime::virtio
