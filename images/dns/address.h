// IP addresses and networks of either family, as text and as bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace images::dns {

/// IPv6, or IPv4 as ::ffff:A.B.C.D (RFC 4291 section 2.5.5.2): one form for tables and comparisons.
struct Address {
  std::array<std::uint8_t, 16> bytes{};

  static Address of_ipv4(const std::array<std::uint8_t, 4>& v4);
  bool is_ipv4() const;
  /// Only of one that is_ipv4().
  std::array<std::uint8_t, 4> ipv4() const;
  bool operator==(const Address&) const = default;
};

/// An address with a port.
struct Endpoint {
  Address address;
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

/// All addresses that share their first bits. `bits` counts within the 16 bytes: 96 + N for IPv4.
struct Prefix {
  Address address;
  std::uint8_t bits = 0;
  bool contains(const Address& other) const;
};

/// A.B.C.D, or IPv6. False: neither.
[[nodiscard]] bool parse_address(std::string_view text, Address& out);

/// ADDRESS, A.B.C.D:PORT or [IPv6]:PORT; without a port the one given. False: none of them.
[[nodiscard]] bool parse_endpoint(std::string_view text, std::uint16_t default_port, Endpoint& out);

/// ADDRESS/BITS, or one address. False: neither, or bits are set behind the prefix.
[[nodiscard]] bool parse_prefix(std::string_view text, Prefix& out);

}  // namespace images::dns
