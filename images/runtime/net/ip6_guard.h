// Which IPv6 packets may reach the guest's own stack. Pure, for tests.
#pragma once

#include <cstdint>
#include <span>

namespace images::runtime::net {

/// True for TCP, UDP and ICMPv6 right behind the IPv6 header, and for a multicast listener query
/// behind its router alert. False for all other extension headers, fragments, and what a router
/// says of itself (advertisement, redirect): a guest's way out is what its manifest says.
/// packet: from the IPv6 header on, as many bytes as lie in one piece.
bool is_wanted_ip6(std::span<const std::uint8_t> packet);

}  // namespace images::runtime::net
