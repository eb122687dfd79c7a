#include "images/firewall/address_kinds.h"

#include <algorithm>

namespace images::firewall {

bool is_link_local(const Address& address, bool is_ip6) {
  if (is_ip6) return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
  return address[0] == 169 && address[1] == 254;
}

bool is_multicast(const Address& address, bool is_ip6) {
  return is_ip6 ? address[0] == 0xff : address[0] >> 4 == 14;
}

bool is_nowhere(const Address& address, bool is_ip6) {
  if (!is_ip6) return address[0] == 0 || address[0] == 127 || address[0] >> 4 == 15;
  const auto first = address.begin();
  const bool has_zeros = std::all_of(first, first + 10, [](auto byte) { return byte == 0; });
  const bool is_short = address[10] == 0 && address[11] == 0;  // ::, ::1, ::A.B.C.D
  const bool is_mapped = address[10] == 0xff && address[11] == 0xff;
  return has_zeros && (is_short || is_mapped);
}

bool is_limited_broadcast(const Address& address, bool is_ip6) {
  return !is_ip6 && std::all_of(address.begin(), address.begin() + 4,
                                [](auto byte) { return byte == 255; });
}

bool has_source_route(const Packet& packet, Bytes frame) {
  constexpr std::size_t kIp4Bytes = 20;
  constexpr std::uint8_t kLoose = 131;
  constexpr std::uint8_t kStrict = 137;
  if (packet.tuple.is_ip6) return false;
  Bytes options = frame.first(packet.transport_at).subspan(kEtherBytes + kIp4Bytes);
  while (!options.empty() && options[0] != 0) {
    if (options[0] == kLoose || options[0] == kStrict) return true;
    const std::size_t size = options[0] == 1 ? 1 : options.size() < 2 ? 0 : options[1];
    if (size == 0 || size > options.size()) return true;  // cannot be read: the same
    options = options.subspan(size);
  }
  return false;
}

}  // namespace images::firewall
