// The last step of a packet that is forwarded: cut if it must be, addressed to the station of its
// next hop, sent; or kept until that station has answered.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/neighbours.h"
#include "images/firewall/routes.h"

namespace images::firewall {

/// An interface that is routed, as it is now.
struct RouterPort {
  bool is_routed = false;
  bool asks_dhcp = false;  // its IPv4 address is told later
  Mac mac{};
  std::uint16_t mtu = 1500;
  bool has4 = false;
  Address address{};
  std::uint8_t bits = 0;
  bool has_gateway = false;
  Address gateway{};
  bool has6 = false;
  Address address6{};  // of a /64
  bool has_gateway6 = false;
  Address gateway6{};

  bool operator==(const RouterPort&) const = default;
};
inline constexpr std::size_t kMaxRouterPorts = 8;
using RouterPorts = std::array<RouterPort, kMaxRouterPorts>;

/// Where frames go to, and the packets that nobody took.
struct DeliverySink {
  void* argument = nullptr;
  void (*send)(void* argument, std::size_t port, std::span<const std::uint8_t> frame) = nullptr;
  /// Its next hop does not answer. It came in by that port, from the station that its frame tells.
  void (*give_back)(void* argument, std::size_t in_port, Bytes frame) = nullptr;
};

class Delivery {
 public:
  /// The ports outlive it. False: too little memory.
  bool create(const RouterPorts& ports, const DeliverySink& sink, const HashKey& key,
              runtime::Arena& memory);

  /// Where a packet goes next.
  struct Hop {
    std::size_t port = 0;
    Address address{};
    bool is_ip6 = false;
  };
  /// One that is longer than the port's MTU is cut: IPv4 without options that may be cut.
  void deliver(std::span<std::uint8_t> frame, std::size_t in_port, const Hop& hop,
               std::uint64_t now_ms);

  /// What was heard on a port.
  void hear(std::size_t port, const Heard& heard, std::uint64_t now_ms);
  /// Once a second: ask again, give up.
  void tick(std::uint64_t now_ms);

  /// Packets that were accepted, and whose next hop did not answer or had too many waiting.
  std::uint64_t unresolved() const { return unresolved_; }

 private:
  void deliver_piece(std::span<std::uint8_t> frame, std::size_t in_port, const Hop& hop,
                     std::uint64_t now_ms);
  void send_to(const Neighbour& neighbour, std::span<std::uint8_t> frame);
  void ask(const Neighbour& neighbour);
  void give_up(Neighbour& neighbour);

  const RouterPorts* ports_ = nullptr;
  DeliverySink sink_;
  Neighbours neighbours_;
  std::uint64_t unresolved_ = 0;
};

}  // namespace images::firewall
