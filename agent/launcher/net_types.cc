// Addresses as plain values: strict parsers and their text forms.
#include "agent/launcher/net_types.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

namespace launcher {
namespace {

using proto::Code;
using proto::Error;

/// A decimal number without sign or leading zero, or nothing.
bool parse_number(std::string_view text, std::uint32_t max, std::uint32_t& out) {
  if (text.empty() || text.size() > 10) return false;
  if (text.size() > 1 && text.front() == '0') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out <= max;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::uint32_t Subnet::mask() const {
  return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
}

bool Subnet::contains(Ipv4 ip) const { return (ip.value & mask()) == address.value; }

proto::Result<Ipv4> parse_ipv4(std::string_view text) {
  const Error bad{Code::bad_argument,
                  "\"" + std::string(text.substr(0, 40)) + "\" is no IPv4 address (A.B.C.D)", ""};
  std::uint32_t value = 0;
  std::string_view rest = text;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = part < 3 ? rest.find('.') : rest.size();
    if (dot == std::string_view::npos) return bad;
    std::uint32_t number = 0;
    if (!parse_number(rest.substr(0, dot), 255, number)) return bad;
    value = value << 8 | number;
    rest.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return Ipv4{value};
}

std::string to_string(Ipv4 ip) {
  return std::to_string(ip.value >> 24) + "." + std::to_string(ip.value >> 16 & 0xff) + "." +
         std::to_string(ip.value >> 8 & 0xff) + "." + std::to_string(ip.value & 0xff);
}

proto::Result<Ipv6> parse_ipv6(std::string_view text) {
  Ipv6 ip;
  const std::string whole(text.substr(0, 64));
  if (::inet_pton(AF_INET6, whole.c_str(), ip.bytes.data()) == 1) return ip;
  return Error{Code::bad_argument, "\"" + whole + "\" is no IPv6 address", ""};
}

std::string to_string(const Ipv6& ip) {
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(AF_INET6, ip.bytes.data(), text, sizeof(text));
  return text;
}

Ipv6 link_local(const MacAddress& mac) {
  const auto& m = mac.bytes;
  Ipv6 ip{{0xfe, 0x80}};
  ip.bytes[8] = static_cast<std::uint8_t>(m[0] ^ 0x02);
  ip.bytes[9] = m[1];
  ip.bytes[10] = m[2];
  ip.bytes[11] = 0xff;
  ip.bytes[12] = 0xfe;
  std::copy(m.begin() + 3, m.end(), ip.bytes.begin() + 13);
  return ip;
}

proto::Result<Subnet> parse_subnet(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return Error{Code::bad_argument,
                 "\"" + std::string(text.substr(0, 40)) + "\" is no network (A.B.C.D/N)", ""};
  }
  TRY(const Ipv4 ip, parse_ipv4(text.substr(0, slash)));
  std::uint32_t prefix = 0;
  if (!parse_number(text.substr(slash + 1), 32, prefix)) {
    return Error{Code::bad_argument,
                 "the prefix of \"" + std::string(text.substr(0, 40)) + "\" must be 0 to 32", ""};
  }
  Subnet subnet{ip, static_cast<std::uint8_t>(prefix)};
  subnet.address.value &= subnet.mask();
  if (subnet.address != ip) {
    return Error{Code::bad_argument,
                 std::string(text) + " has bits below its prefix; write " + to_string(subnet), ""};
  }
  return subnet;
}

std::string to_string(const Subnet& subnet) {
  return to_string(subnet.address) + "/" + std::to_string(subnet.prefix);
}

proto::Result<MacAddress> parse_mac(std::string_view text) {
  const Error bad{Code::bad_argument,
                  "\"" + std::string(text.substr(0, 40)) + "\" is no MAC (52:54:00:12:34:56)", ""};
  if (text.size() != 17) return bad;
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[i * 3]);
    const int low = hex_digit(text[i * 3 + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':')) return bad;
    mac.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return mac;
}

std::string to_string(const MacAddress& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac.bytes[0], mac.bytes[1],
                mac.bytes[2], mac.bytes[3], mac.bytes[4], mac.bytes[5]);
  return text;
}

std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::any: return "any";
    case Protocol::icmp: return "icmp";
    case Protocol::tcp: return "tcp";
    case Protocol::udp: return "udp";
  }
  return "unknown";
}

bool is_unicast(Ipv4 ip) {
  return ip.value != 0 && ip.value < 0xe0000000u;  // below 224.0.0.0: no multicast, no reserved
}

bool is_unicast(const Ipv6& ip) {
  const Ipv6 loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  const bool of_link = ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80;
  const bool mapped = std::all_of(ip.bytes.begin(), ip.bytes.begin() + 10,
                                  [](std::uint8_t byte) { return byte == 0; });
  return ip.bytes[0] != 0xff && !of_link && !mapped && ip != loopback;
}

bool is_local_unicast(const MacAddress& mac) { return (mac.bytes[0] & 0x03) == 0x02; }

BridgePair bridge_pair(std::string_view one, std::string_view other) {
  if (other < one) std::swap(one, other);
  return {std::string(one), std::string(other)};
}

std::string to_string(const BridgePair& pair) { return pair.first + " and " + pair.second; }

}  // namespace launcher
