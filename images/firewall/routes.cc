#include "images/firewall/routes.h"

#include <algorithm>

namespace images::firewall {
namespace {

bool holds(const Route& route, const Address& address) {
  const std::size_t whole = route.bits / 8;
  if (!std::equal(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(whole),
                  route.network.begin())) {
    return false;
  }
  if (route.bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - route.bits % 8));
  return ((address[whole] ^ route.network[whole]) & mask) == 0;
}

}  // namespace

bool Routes::add(const Route& route) {
  if (count_ == routes_.size()) return false;
  routes_[count_++] = route;
  return true;
}

const Route* Routes::find(const Address& address, bool is_ip6) const {
  const Route* best = nullptr;
  for (const Route& route : std::span(routes_).first(count_)) {
    if (route.is_ip6 != is_ip6 || !holds(route, address)) continue;
    if (best == nullptr || route.bits > best->bits) best = &route;
  }
  return best;
}

bool is_broadcast_of(const Route& route, const Address& address) {
  if (route.is_ip6 || route.has_gateway || route.bits > 30 || !holds(route, address)) return false;
  for (std::size_t bit = route.bits; bit < 32; ++bit) {
    if ((address[bit / 8] & (0x80 >> (bit % 8))) == 0) return false;
  }
  return true;
}

}  // namespace images::firewall
