// Addresses as plain values, with strict text forms. Knows nothing of sockets.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace launcher {

/// An IPv4 address in host byte order, so that + 1 is the next one. 0 means none or any.
struct Ipv4 {
  std::uint32_t value = 0;
  auto operator<=>(const Ipv4&) const = default;
};

/// An IPv6 address in network order. All zero means none.
struct Ipv6 {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Ipv6&) const = default;
  bool is_none() const { return *this == Ipv6(); }
};

/// A network: `address` has no bit below the prefix.
struct Subnet {
  Ipv4 address;
  std::uint8_t prefix = 0;  // 0..32
  bool operator==(const Subnet&) const = default;
  bool contains(Ipv4 ip) const;
  std::uint32_t mask() const;
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};
  auto operator<=>(const MacAddress&) const = default;
};

/// Ports first..last, both included.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool operator==(const PortRange&) const = default;
  bool contains(std::uint16_t port) const { return first <= port && port <= last; }
};

/// Two bridges of the host, in the order of their names: made by bridge_pair().
struct BridgePair {
  std::string first;
  std::string second;
  auto operator<=>(const BridgePair&) const = default;
};
BridgePair bridge_pair(std::string_view one, std::string_view other);
/// "br-lan and br-wan"
std::string to_string(const BridgePair& pair);

/// IP protocol numbers.
enum class Protocol : std::uint8_t { any = 0, icmp = 1, tcp = 6, udp = 17 };

/// "10.213.77.2". Errors: bad_argument for anything but four decimal numbers of 0..255 without
/// leading zeros.
proto::Result<Ipv4> parse_ipv4(std::string_view text);
std::string to_string(Ipv4 ip);
/// "2001:db8::1" (RFC 4291, RFC 5952). errors bad_argument
proto::Result<Ipv6> parse_ipv6(std::string_view text);
std::string to_string(const Ipv6& ip);
/// The address that a host with this MAC gives itself on each link (RFC 4291, appendix A).
Ipv6 link_local(const MacAddress& mac);
/// "10.213.77.0/24"; a bit below the prefix is an error that names the right network.
proto::Result<Subnet> parse_subnet(std::string_view text);
std::string to_string(const Subnet& subnet);
/// "52:54:00:12:34:56", lower or upper case.
proto::Result<MacAddress> parse_mac(std::string_view text);
std::string to_string(const MacAddress& mac);
std::string_view to_string(Protocol protocol);

/// True for an address that one host can have as its own: not 0, not multicast, not reserved.
bool is_unicast(Ipv4 ip);
/// The same of IPv6, and no link-local one: those nobody writes down.
bool is_unicast(const Ipv6& ip);
/// True for a MAC with the local bit set and the group bit clear.
bool is_local_unicast(const MacAddress& mac);

}  // namespace launcher
