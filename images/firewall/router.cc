#include "images/firewall/router.h"

#include <algorithm>

#include "images/firewall/address_kinds.h"
#include "images/firewall/nat.h"
#include "images/firewall/translate.h"

namespace images::firewall {
namespace {

constexpr std::uint8_t kUnreachable = 3;  // ICMP's types, and ICMPv6's
constexpr std::uint8_t kUnreachable6 = 1;
constexpr std::uint8_t kTimeExceeded = 11;
constexpr std::uint8_t kTimeExceeded6 = 3;
constexpr std::uint8_t kFragmentationNeeded = 4;  // its code
constexpr std::uint8_t kTooBig6 = 2;
constexpr std::uint16_t kDhcpServer = 67;
constexpr std::uint16_t kDhcpClient = 68;

Router::Passed ended(Reason reason) {
  Router::Passed out;
  out.outcome.reason = reason;
  return out;
}

void give_to_sender(void* argument, std::size_t port, Bytes frame) {
  const auto& sender = *static_cast<const Router::Sender*>(argument);
  sender.send(sender.argument, port, frame);
}

}  // namespace

bool Router::create(Firewall& firewall, const RouterPorts& ports,
                    std::span<const StaticRoute> routes, const Sender& sender, const HashKey& key,
                    runtime::Arena& memory) {
  firewall_ = &firewall;
  ports_ = ports;
  sender_ = sender;
  key_ = key;
  static_count_ = std::min(routes.size(), static_routes_.size());
  std::copy_n(routes.begin(), static_count_, static_routes_.begin());
  find_routes();
  const auto take_back = [](void* argument, std::size_t in_port, Bytes frame) {
    static_cast<Router*>(argument)->give_back(in_port, frame);
  };
  const auto send = [](void* argument, std::size_t port, Bytes frame) {
    give_to_sender(&static_cast<Router*>(argument)->sender_, port, frame);
  };
  return delivery_.create(ports_, {this, send, take_back}, key, memory);
}

void Router::find_routes() {
  routes_.clear();
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const RouterPort& port = ports_[i];
    if (!port.is_routed) continue;
    if (port.has4) routes_.add({port.address, port.bits, false, false, {}, i});
    if (port.has6) routes_.add({port.address6, 64, true, false, {}, i});
    if (port.has4 && port.has_gateway) routes_.add({{}, 0, false, true, port.gateway, i});
    if (port.has6 && port.has_gateway6) routes_.add({{}, 0, true, true, port.gateway6, i});
  }
  for (const StaticRoute& one : std::span(static_routes_).first(static_count_)) {
    const Route* link = routes_.find(one.gateway, one.is_ip6);
    if (link == nullptr || link->has_gateway) continue;
    routes_.add({one.network, one.bits, one.is_ip6, true, one.gateway, link->port});
  }
}

std::size_t Router::first_lost_route() const {
  for (std::size_t i = 0; i < static_count_; ++i) {
    const StaticRoute& one = static_routes_[i];
    const Route* link = routes_.find(one.gateway, one.is_ip6);
    if (link == nullptr || link->has_gateway) return i;
  }
  return static_count_;
}

void Router::change_port(std::size_t number, const RouterPort& port) {
  RouterPort& old = ports_[number];
  if (old == port) return;
  if (old.has4 && old.address != port.address) firewall_->flows().forget_answers_to(old.address);
  old = port;
  find_routes();
}

void Router::tick(std::uint64_t now_ms) {
  now_ms_ = now_ms;
  delivery_.tick(now_ms);
}

bool Router::is_own(const Address& address, bool is_ip6) const {
  return std::any_of(ports_.begin(), ports_.end(), [&](const RouterPort& port) {
    const bool has = port.is_routed && (is_ip6 ? port.has6 : port.has4);
    return has && (is_ip6 ? port.address6 : port.address) == address;
  });
}

/// Strict reverse path filtering (RFC 3704 section 2.2): answers would go where it came from.
bool Router::comes_from_home(const Transit& transit) const {
  const Tuple& tuple = transit.received;
  const Address& source = tuple.source;
  if (is_nowhere(source, tuple.is_ip6) || is_multicast(source, tuple.is_ip6)) return false;
  if (is_own(source, tuple.is_ip6)) return false;
  if (is_link_local(source, tuple.is_ip6)) return true;  // but it is not forwarded
  const Route* home = routes_.find(source, tuple.is_ip6);
  return home != nullptr && home->port == transit.in_port && !is_broadcast_of(*home, source);
}

bool Router::is_for_link(std::size_t in_port, const Tuple& tuple) const {
  const Address& target = tuple.target;
  if (is_multicast(target, tuple.is_ip6) || is_link_local(target, tuple.is_ip6)) return true;
  const Route* way = routes_.find(target, tuple.is_ip6);
  return is_limited_broadcast(target, tuple.is_ip6) ||
         (way != nullptr && way->port == in_port && is_broadcast_of(*way, target));
}

Router::Passed Router::take(std::size_t in_port, std::span<std::uint8_t> frame,
                            std::uint64_t now_ms) {
  now_ms_ = now_ms;
  Transit transit;
  transit.in_port = in_port;
  transit.frame = frame;
  transit.now_ms = now_ms;
  const Passed passed = firewall_->take(frame, now_ms) == Malformed::no ? pass(transit)
                                                                         : ended(Reason::malformed);
  firewall_->count(passed.outcome.reason);
  if (passed.outcome.reason == Reason::rule_rejects) refuse(transit, passed.outcome.rejection);
  return passed;
}

Router::Passed Router::pass(Transit& transit) {
  const Packet& packet = firewall_->packet();
  const RouterPort& port = ports_[transit.in_port];
  if (packet.ether_type == kEtherArp || is_link_talk(packet)) return pass_link(transit);
  const bool is_group_frame = is_group(packet.target_mac);
  if (!packet.is_ip || (packet.target_mac != port.mac && !is_group_frame)) {
    return ended(Reason::elsewhere);
  }
  transit.received = packet.tuple;
  transit.leaves = packet.tuple;
  const Tuple& tuple = transit.received;
  const bool is_dhcp = port.asks_dhcp && packet.has_transport && tuple.protocol == kUdp &&
                       tuple.source_port == kDhcpServer && tuple.target_port == kDhcpClient;
  if (is_dhcp) return ended(Reason::own);
  if (!comes_from_home(transit) || has_source_route(packet, transit.frame)) {
    return ended(Reason::bogus);
  }
  if (is_for_link(transit.in_port, tuple)) return pass_own(transit);
  const bool is_sent_to_all = is_group_frame || is_nowhere(tuple.target, tuple.is_ip6);
  if (is_sent_to_all) return ended(Reason::bogus);
  return packet.fragment.is_first ? forward(transit) : pass_piece(transit);
}

/// ARP and neighbour discovery are both ours and the runtime's.
Router::Passed Router::pass_link(const Transit& transit) {
  const Packet& packet = firewall_->packet();
  const Heard heard = packet.is_ip ? hear_discovery(packet, transit.frame)
                                   : hear_arp(transit.frame);
  if (!is_own(heard.address, heard.is_ip6)) {
    delivery_.hear(transit.in_port, heard, transit.now_ms);
  }
  return ended(Reason::own);
}

Router::Passed Router::pass_own(const Transit& transit) {
  const Packet& packet = firewall_->packet();
  Passed out;
  out.out_port = transit.in_port;
  if (!packet.fragment.is_first) {
    out.outcome.reason = firewall_->follow_own(transit.in_port, transit.now_ms);
    return out;
  }
  out.outcome = firewall_->ask_input(transit.frame.size(), transit.in_port, false, transit.now_ms);
  if (out.outcome.reason == Reason::own && packet.fragment.is_part) {
    firewall_->open_datagram(transit.in_port, {true, {}, {}}, transit.now_ms);
  }
  return out;
}

Router::Passed Router::pass_piece(Transit& transit) {
  const auto [reason, way] =
      firewall_->follow_first(transit.frame, transit.in_port, transit.now_ms);
  if (way == nullptr) return ended(reason);
  if (way->is_own) return ended(Reason::own);
  transit.leaves.source = way->source;
  transit.leaves.target = way->target;
  Passed out;
  out.outcome = find_way(transit, way->target);
  if (transit.route == nullptr) return out;
  out.outcome.reason = Reason::follows;
  out.out_port = transit.route->port;
  send_on(transit);
  return out;
}

/// The way of a packet that goes to that address, as transit.route; else why there is none.
Outcome Router::find_way(Transit& transit, const Address& target) {
  const Packet& packet = firewall_->packet();
  const bool is_ip6 = transit.received.is_ip6;
  Outcome out;
  out.reason = Reason::bogus;
  if (is_nowhere(target, is_ip6) || is_multicast(target, is_ip6)) return out;
  if (is_link_local(target, is_ip6) || is_link_local(transit.received.source, is_ip6)) return out;
  const Route* route = routes_.find(target, is_ip6);
  if (route == nullptr) {
    const IcmpError error{is_ip6 ? kUnreachable6 : kUnreachable, 0, 0};
    return complain(transit, Reason::unreachable, error);
  }
  if (is_broadcast_of(*route, target)) return out;
  if (packet.hops <= 1) {
    const IcmpError error{is_ip6 ? kTimeExceeded6 : kTimeExceeded, 0, 0};
    return complain(transit, Reason::expired, error);
  }
  const std::uint16_t mtu = ports_[route->port].mtu;
  const bool is_plain = packet.may_be_cut && transit.frame[kEtherBytes] == 0x45;
  if (packet.end - kEtherBytes > mtu && !is_plain) {
    const IcmpError error = is_ip6 ? IcmpError{kTooBig6, 0, mtu}
                                   : IcmpError{kUnreachable, kFragmentationNeeded, mtu};
    return complain(transit, Reason::too_big, error);
  }
  transit.route = route;
  return out;
}

Router::Passed Router::forward(Transit& transit) {
  const Packet& packet = firewall_->packet();
  FlowTable& flows = firewall_->flows();
  transit.found = flows.look(packet, transit.now_ms);
  if (transit.found.flow == 0) {
    choose_target(transit);
  } else {
    const std::array<Tuple, 2>& tuples = flows.tuples(transit.found);
    const Tuple& here = tuples[transit.found.side];
    const Tuple there = tuples[1 - transit.found.side].reversed();
    if (!packet.is_icmp_error) {
      transit.leaves = there;
    } else {
      // It goes to whom the flow goes; its sender is hidden if the flow's is.
      transit.leaves.target = there.target;
      if (here.source != there.source) transit.leaves.source = there.source;
    }
  }
  if (is_own(transit.leaves.target, transit.received.is_ip6)) {
    if (transit.leaves == transit.received) return pass_own(transit);
    return ended(Reason::bogus);
  }
  Passed out;
  out.outcome = find_way(transit, transit.leaves.target);
  return transit.route == nullptr ? out : ask_rules(transit);
}

/// A flow's first packet may be for another than it says.
void Router::choose_target(Transit& transit) {
  RuleSet& rules = firewall_->rules();
  const bool is_asked = transit.found.state == FlowState::fresh && rules.prerouting.is_written;
  if (!is_asked) return;
  const Passage passage{&firewall_->packet(), transit.in_port, transit.in_port, FlowState::fresh,
                        transit.frame.size(), transit.now_ms};
  const Judgement judgement = judge(rules, rules.prerouting, passage);
  if (judgement.verdict != Verdict::dnat) return;
  change_target(rules.targets[judgement.rule->target], transit.leaves);
}

/// Rules see a packet as it is between both changes: for whom it is, and still from whom it came.
Router::Passed Router::ask_rules(Transit& transit) {
  Packet& packet = firewall_->packet();
  packet.tuple.target = transit.leaves.target;
  if (!packet.is_icmp_error) packet.tuple.target_port = transit.leaves.target_port;
  Passed out;
  out.out_port = transit.route->port;
  out.outcome = follow_rules(transit);
  packet.tuple = transit.received;
  if (out.outcome.reason != Reason::rule_accepts) return out;
  FlowTable& flows = firewall_->flows();
  if (!flows.commit(transit.found, packet, transit.leaves.reversed(), transit.now_ms)) {
    out.outcome.reason = Reason::full;
    return out;
  }
  if (packet.fragment.is_part) {
    firewall_->open_datagram(transit.in_port,
                             {false, transit.leaves.source, transit.leaves.target},
                             transit.now_ms);
  }
  send_on(transit);
  return out;
}

Outcome Router::follow_rules(Transit& transit) {
  const Passage passage{&firewall_->packet(), transit.in_port, transit.route->port,
                        transit.found.state, transit.frame.size(), transit.now_ms};
  Outcome out = firewall_->ask(passage);
  const bool begins = transit.found.state == FlowState::fresh && transit.found.flow == 0;
  if (out.reason == Reason::rule_accepts && begins && !choose_source_of(transit)) {
    out.reason = Reason::untranslated;
  }
  return out;
}

/// As whom a flow's first packet leaves. False: it cannot.
bool Router::choose_source_of(Transit& transit) {
  RuleSet& rules = firewall_->rules();
  const FlowTable& flows = firewall_->flows();
  const std::size_t out_port = transit.route->port;
  Judgement judgement;
  if (rules.postrouting.is_written) {
    judgement = judge(rules, rules.postrouting,
                      {&firewall_->packet(), transit.in_port, out_port, FlowState::fresh,
                       transit.frame.size(), transit.now_ms});
  }
  if (judgement.verdict != Verdict::snat) {
    return !flows.is_taken(transit.leaves.reversed(), transit.received, transit.now_ms);
  }
  const NatTarget& target = rules.targets[judgement.rule->target];
  const RouterPort& port = ports_[out_port];
  if (!target.has_address && !port.has4) return false;
  return choose_source(flows, target, target.has_address ? target.address : port.address, key_,
                       transit.received, transit.now_ms, transit.leaves);
}

/// Beyond this point the packet is no longer as it came.
void Router::send_on(Transit& transit) {
  const Packet& packet = firewall_->packet();
  const std::span<std::uint8_t> frame = transit.frame.first(packet.end);
  const bool is_changed = !transit.received.is_ip6 && transit.found.flow != 0;
  if (packet.is_icmp_error && is_changed) {
    const auto& tuples = firewall_->flows().tuples(transit.found);
    translate_quoted(frame, packet, tuples[1 - transit.found.side]);
  }
  if (transit.leaves != transit.received) translate(frame, packet, transit.leaves);
  use_hop(frame, packet);
  const Route& route = *transit.route;
  const Address& next = route.has_gateway ? route.gateway : transit.leaves.target;
  delivery_.deliver(frame, transit.in_port, {route.port, next, transit.received.is_ip6},
                    transit.now_ms);
}

Outcome Router::complain(const Transit& transit, Reason reason, const IcmpError& error) {
  const Packet& packet = firewall_->packet();
  const RouterPort& port = ports_[transit.in_port];
  Outcome out;
  out.reason = reason;
  if (!may_complain_of(packet) || !firewall_->may_reply(transit.now_ms)) return out;
  ReplyBuffer reply;
  const Address& from = transit.received.is_ip6 ? port.address6 : port.address;
  const std::size_t size = make_icmp_error(packet, transit.frame, error, from, reply);
  sender_.send(sender_.argument, transit.in_port, Bytes(reply).first(size));
  return out;
}

void Router::refuse(const Transit& transit, const Rejection& rejection) {
  const RouterPort& port = ports_[transit.in_port];
  const Address& from = transit.received.is_ip6 ? port.address6 : port.address;
  ReplyBuffer reply;
  const std::size_t size =
      firewall_->refuse(rejection, transit.frame, &from, transit.now_ms, reply);
  if (size > 0) sender_.send(sender_.argument, transit.in_port, Bytes(reply).first(size));
}

/// Its next hop is silent. The error quotes it as its sender knows it.
void Router::give_back(std::size_t in_port, Bytes frame) {
  Packet packet;
  const RouterPort& port = ports_[in_port];
  if (read_packet(frame, packet) != Malformed::no || !may_complain_of(packet)) return;
  if (!firewall_->may_reply(now_ms_)) return;
  const bool is_ip6 = packet.tuple.is_ip6;
  const IcmpError error = is_ip6 ? IcmpError{kUnreachable6, 3, 0} : IcmpError{kUnreachable, 1, 0};
  ReplyBuffer reply;
  const std::size_t size =
      make_icmp_error(packet, frame, error, is_ip6 ? port.address6 : port.address, reply);
  const std::span<std::uint8_t> made = std::span(reply).first(size);
  Packet about;
  Address whom = packet.tuple.source;
  if (!is_ip6 && read_packet(made, about) == Malformed::no) {
    const FlowTable& flows = firewall_->flows();
    const FlowTable::Found found = flows.look(about, now_ms_);
    if (found.flow != 0) {
      const std::array<Tuple, 2>& tuples = flows.tuples(found);
      Tuple to = about.tuple;
      to.target = whom = tuples[1 - found.side].source;
      translate_quoted(made, about, tuples[1 - found.side]);
      translate(made, about, to);
    }
  }
  // Its flow may be forgotten by now, and with it who that was before it was translated.
  const Route* back = routes_.find(whom, is_ip6);
  if (back == nullptr || back->port != in_port) return;
  sender_.send(sender_.argument, in_port, made);
}

}  // namespace images::firewall
