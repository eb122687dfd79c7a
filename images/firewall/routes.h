// Which way an address lies: networks of our own interfaces, static routes, gateways. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/packet.h"

namespace images::firewall {

struct Route {
  Address network{};
  std::uint8_t bits = 0;  // of the network, 0..32 or 0..128
  bool is_ip6 = false;
  bool has_gateway = false;  // else its stations are on the link
  Address gateway{};
  std::size_t port = 0;
};

/// A route as it is told: the port follows from the gateway.
struct StaticRoute {
  Address network{};
  std::uint8_t bits = 0;
  bool is_ip6 = false;
  Address gateway{};
};
inline constexpr std::size_t kMaxStaticRoutes = 32;

class Routes {
 public:
  static constexpr std::size_t kMost = 64;

  void clear() { count_ = 0; }
  /// False: it is full.
  bool add(const Route& route);
  /// The longest network that holds the address, of two such the first; nullptr: there is none.
  const Route* find(const Address& address, bool is_ip6) const;

 private:
  std::array<Route, kMost> routes_{};
  std::size_t count_ = 0;
};

/// True for the last address of a network on the link, where all its stations listen.
bool is_broadcast_of(const Route& route, const Address& address);

}  // namespace images::firewall
