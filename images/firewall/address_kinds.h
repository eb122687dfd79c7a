// Addresses that no router forwards from or to, and packets that tell routers their way. Pure.
#pragma once

#include "images/firewall/packet.h"

namespace images::firewall {

bool is_link_local(const Address& address, bool is_ip6);
bool is_multicast(const Address& address, bool is_ip6);
/// 255.255.255.255
bool is_limited_broadcast(const Address& address, bool is_ip6);

/// What no packet on a wire has (RFC 1812 section 5.3.7, RFC 4291 section 2.5): this host,
/// loopback, class E, IPv4 in IPv6.
bool is_nowhere(const Address& address, bool is_ip6);

/// RFC 791 section 3.1: its sender says the way, or its options cannot be read. Nobody forwards
/// that (RFC 7126 section 4.3).
bool has_source_route(const Packet& packet, Bytes frame);

}  // namespace images::firewall
