// One interface with addresses: lwIP's netif on a port of the platform.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "images/runtime/config.h"

namespace images::runtime::net {

/// Bring it up; its port is open, lwip_init() was called. A fixed address is announced at once
/// (gratuitous ARP, neighbour discovery's duplicate detection); with DHCP the asking begins.
void start_interface(std::size_t port, const InterfaceConfig& config, std::string_view hostname);

/// One frame that the port received; lwIP gets it if the appliance's filter lets it.
void give_frame(std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms);

/// True if the port has an interface.
bool is_interface(std::size_t port);

}  // namespace images::runtime::net
