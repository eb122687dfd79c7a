// Ports without an address: their frames go to the appliance as they came, past lwIP.
#pragma once

#include <cstdint>
#include <span>

namespace images::runtime::net {

/// One frame that the port received: handed to whoever takes_frames(), else dropped.
void hand_over_frame(std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms);

/// Say which ports are such; before the appliance starts.
void add_frame_port(std::size_t port);
bool is_frame_port(std::size_t port);

}  // namespace images::runtime::net
