#include "images/dns/net_address.h"

#include <algorithm>

namespace images::dns {

Address address_of(const ip_addr_t& address) {
  if (IP_IS_V6_VAL(address)) {
    Address result;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(ip_2_ip6(&address)->addr);
    std::copy_n(bytes, result.bytes.size(), result.bytes.begin());
    return result;
  }
  const ip4_addr_t& v4 = *ip_2_ip4(&address);
  return Address::of_ipv4({ip4_addr1(&v4), ip4_addr2(&v4), ip4_addr3(&v4), ip4_addr4(&v4)});
}

ip_addr_t to_lwip(const Address& address) {
  ip_addr_t out;
  if (address.is_ipv4()) {
    const auto v4 = address.ipv4();
    IP_ADDR4(&out, v4[0], v4[1], v4[2], v4[3]);
    return out;
  }
  ip_addr_set_zero_ip6(&out);
  auto* bytes = reinterpret_cast<std::uint8_t*>(ip_2_ip6(&out)->addr);
  std::copy(address.bytes.begin(), address.bytes.end(), bytes);
  return out;
}

}  // namespace images::dns
