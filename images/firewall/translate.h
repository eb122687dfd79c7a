// Changes IPv4 and IPv6 headers in a frame; checksums follow word by word (RFC 1624), so that what
// was broken stays broken. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "images/firewall/packet.h"

namespace images::firewall {

/// Gives the IPv4 packet in the frame, which read as `packet`, the addresses, ports and identifiers
/// of another tuple of its protocol. Later pieces have only addresses.
void translate(std::span<std::uint8_t> frame, const Packet& packet, const Tuple& to);

/// The same of what an ICMP error over IPv4 quotes.
void translate_quoted(std::span<std::uint8_t> frame, const Packet& packet, const Tuple& to);

/// Takes one hop from it.
void use_hop(std::span<std::uint8_t> frame, const Packet& packet);

}  // namespace images::firewall
