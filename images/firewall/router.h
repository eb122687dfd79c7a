// The firewall as a router: a frame in, frames out, with address translation between. What is for
// the router itself is left to the runtime's own stack (ARP, neighbour discovery, DHCP, ping).
// Pure: no clock, no console; memory only from the arena and only at the start. RFC 1812, 8200.
#pragma once

#include <cstdint>
#include <span>

#include "images/firewall/delivery.h"
#include "images/firewall/firewall.h"
#include "images/firewall/routes.h"

namespace images::firewall {

class Router {
 public:
  struct Sender {
    void* argument = nullptr;
    void (*send)(void* argument, std::size_t port, Bytes frame) = nullptr;
  };

  /// The firewall outlives it. `routes`: at most kMaxStaticRoutes. False: too little memory.
  bool create(Firewall& firewall, const RouterPorts& ports, std::span<const StaticRoute> routes,
              const Sender& sender, const HashKey& key, runtime::Arena& memory);

  /// The first static route whose gateway is on no network of an interface; routes.size(): none is.
  std::size_t first_lost_route() const;

  /// A port has other addresses now (DHCP). Flows translated to the old one end.
  void change_port(std::size_t number, const RouterPort& port);

  struct Passed {
    Outcome outcome;  // Reason::own: the frame is for the runtime's own stack
    std::size_t out_port = 0;
  };
  /// A frame that came in by a routed port. It may be changed, and what goes on is sent. Then what
  /// the firewall gives as next_early() must be taken, too.
  Passed take(std::size_t in_port, std::span<std::uint8_t> frame, std::uint64_t now_ms);

  /// Once a second.
  void tick(std::uint64_t now_ms);

  /// The way of a packet to there; nullptr: there is none.
  const Route* way_to(const Address& to, bool is_ip6) const { return routes_.find(to, is_ip6); }
  const Delivery& delivery() const { return delivery_; }

 private:
  /// A packet on its way through.
  struct Transit {
    std::size_t in_port = 0;
    std::span<std::uint8_t> frame;
    std::uint64_t now_ms = 0;
    FlowTable::Found found;
    Tuple received;          // as it came
    Tuple leaves;            // as it goes on
    const Route* route = nullptr;
  };

  void find_routes();
  Passed pass(Transit& transit);
  Passed pass_link(const Transit& transit);
  Passed pass_own(const Transit& transit);
  Passed pass_piece(Transit& transit);
  Passed forward(Transit& transit);
  Passed ask_rules(Transit& transit);
  Outcome follow_rules(Transit& transit);

  bool is_own(const Address& address, bool is_ip6) const;
  bool comes_from_home(const Transit& transit) const;
  bool is_for_link(std::size_t in_port, const Tuple& tuple) const;
  void choose_target(Transit& transit);
  bool choose_source_of(Transit& transit);
  Outcome find_way(Transit& transit, const Address& target);
  Outcome complain(const Transit& transit, Reason reason, const IcmpError& error);
  void refuse(const Transit& transit, const Rejection& rejection);
  void send_on(Transit& transit);
  void give_back(std::size_t in_port, Bytes frame);

  Firewall* firewall_ = nullptr;
  RouterPorts ports_{};
  std::array<StaticRoute, kMaxStaticRoutes> static_routes_{};
  std::size_t static_count_ = 0;
  Routes routes_;
  Delivery delivery_;
  Sender sender_;
  HashKey key_{};
  std::uint64_t now_ms_ = 0;
};

}  // namespace images::firewall
