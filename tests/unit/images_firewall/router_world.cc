#include "tests/unit/images_firewall/router_world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "images/runtime/address.h"

namespace images::firewall {
namespace {

Mac station(std::uint8_t number) { return {2, 0, 0, 0, 0, number}; }

bool is_question(const Sent& one) {
  if (one.packet.ether_type == kEtherArp) return true;
  return one.packet.is_ip && one.packet.tuple.is_ip6 && one.packet.icmp_type == 135;
}

Frame answer_to(const Sent& question, const RouterPort& port) {
  const Frame& asked = question.frame;
  if (question.packet.ether_type == kEtherArp) {
    Frame arp(asked.begin() + 14, asked.begin() + 42);
    arp[7] = 2;
    std::copy_n(asked.begin() + 22, 10, arp.begin() + 18);  // to whom it asked
    std::copy_n(asked.begin() + 38, 4, arp.begin() + 14);
    const Frame far = mac(kFarStation);
    std::copy(far.begin(), far.end(), arp.begin() + 8);
    return ether(kEtherArp, arp, kFarStation, port.mac[5]);
  }
  Frame advert(16 + 8);
  advert[4] = 0x60;
  std::copy_n(asked.begin() + 62, 16, advert.begin() + 8);
  advert[0] = 136;
  const Frame option = join({2, 1}, mac(kFarStation));
  Frame packet = ip6("2001:db8:9::9", "2001:db8:9::8", kIcmp6, join(advert, option));
  packet[7] = 255;
  return ether(kEtherIp6, packet, kFarStation, port.mac[5]);
}

}  // namespace

Address address4(const std::string& text) {
  std::array<std::uint8_t, 4> bytes{};
  if (!runtime::parse_ipv4(text, bytes)) std::abort();
  Address out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Address address6(const std::string& text) {
  Address out{};
  if (!runtime::parse_ipv6(text, out)) std::abort();
  return out;
}

RouterWorld::RouterWorld(std::string text, std::vector<StaticRoute> routes, std::uint16_t wan_mtu)
    : rules_text(std::move(text)) {
  const std::string_view names[] = {"wan", "lan"};
  const RulesFault fault = parse_rules(rules_text, {names, names, true}, arena, rules);
  if (fault.failed()) {
    std::fprintf(stderr, "line %u: %s\n", fault.line, fault.what);
    std::abort();
  }
  ports[kWan] = {true, false, station(kWanStation), wan_mtu, true, address4("192.0.2.1"), 24,
                 true, address4("192.0.2.254"), true, address6("2001:db8:2::1"), true,
                 address6("2001:db8:2::254")};
  ports[kLan] = {true, false, station(kLanStation), 1500, true, address4("10.0.0.1"), 24,
                 false, {}, true, address6("2001:db8:1::1"), false, {}};
  FirewallOptions options;
  options.flows = 64;
  options.datagrams = 16;
  const HashKey key{1, 2};
  const auto send = [](void* argument, std::size_t port, Bytes frame) {
    auto& world = *static_cast<RouterWorld*>(argument);
    Sent one{port, Frame(frame.begin(), frame.end()), {}};
    if (read_packet(one.frame, one.packet) != Malformed::no) std::abort();
    if (one.packet.checksum_fails) std::abort();
    (is_question(one) ? world.questions : world.sent).push_back(one);
  };
  if (!firewall.create(options, rules, key, arena)) std::abort();
  if (!router.create(firewall, ports, routes, {this, send}, key, arena)) std::abort();
}

Reason RouterWorld::take(std::size_t port, std::uint16_t type, const Frame& packet) {
  const std::uint8_t to = port == kWan ? kWanStation : kLanStation;
  return take_frame(port, ether(type, packet, kFarStation, to));
}

Reason RouterWorld::take_frame(std::size_t port, Frame frame) {
  sent.clear();
  questions.clear();
  const Reason reason = router.take(port, frame, now_ms).outcome.reason;
  for (auto early = firewall.next_early(); !early.bytes.empty(); early = firewall.next_early()) {
    router.take(early.port, early.bytes, now_ms);
  }
  if (neighbours_answer) answer_questions();
  return reason;
}

void RouterWorld::answer_questions() {
  const std::vector<Sent> asked = questions;
  for (const Sent& one : asked) {
    Frame answer = answer_to(one, ports[one.port]);
    router.take(one.port, answer, now_ms);
  }
}

void RouterWorld::tick() {
  now_ms += 1000;
  router.tick(now_ms);
}

}  // namespace images::firewall
