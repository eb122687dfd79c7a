// A router between the ports 0 ("wan": 192.0.2.1/24, 2001:db8:2::1) and 1 ("lan": 10.0.0.1/24,
// 2001:db8:1::1), whose neighbours answer at once, and a clock that tests turn.
#pragma once

#include <string>
#include <vector>

#include "images/firewall/router.h"
#include "tests/unit/images_firewall/world.h"

namespace images::firewall {

inline constexpr std::uint8_t kWanStation = 0x20;  // the router's own
inline constexpr std::uint8_t kLanStation = 0x10;
inline constexpr std::uint8_t kFarStation = 0x99;  // all its neighbours

Address address4(const std::string& text);
Address address6(const std::string& text);

struct Sent {
  std::size_t port = 0;
  Frame frame;
  Packet packet;  // read from the frame
};

struct RouterWorld {
  explicit RouterWorld(std::string text, std::vector<StaticRoute> routes = {},
                       std::uint16_t wan_mtu = 1500);
  RouterWorld(const RouterWorld&) = delete;
  RouterWorld& operator=(const RouterWorld&) = delete;

  /// A frame with that packet to the router's station on that port. What is sent is in `sent`.
  Reason take(std::size_t port, std::uint16_t type, const Frame& packet);
  Reason lan(const Frame& ip4_packet) { return take(kLan, kEtherIp4, ip4_packet); }
  Reason wan(const Frame& ip4_packet) { return take(kWan, kEtherIp4, ip4_packet); }
  /// Any frame at all.
  Reason take_frame(std::size_t port, Frame frame);
  /// Takes a frame and hands its way on as take() does, without questions in `sent`.
  void answer_questions();
  /// One second later.
  void tick();

  std::string rules_text;
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(8 << 20);
  runtime::Arena arena{memory};
  RuleSet rules;
  Firewall firewall;
  Router router;
  RouterPorts ports{};
  bool neighbours_answer = true;
  std::vector<Sent> sent;
  std::vector<Sent> questions;
  std::uint64_t now_ms = 1000;
};

}  // namespace images::firewall
