#include "images/firewall/bridge.h"

namespace images::firewall {

bool Bridge::create(Firewall& firewall, std::size_t stations, const HashKey& key,
                    runtime::Arena& memory) {
  firewall_ = &firewall;
  return stations_.create(stations, key, memory);
}

Outcome Bridge::judge(std::span<const std::uint8_t> frame, std::size_t in_port,
                      std::size_t out_port, std::uint64_t now_ms) {
  const Outcome outcome = decide(frame, in_port, out_port, now_ms);
  // What the rules drop teaches nothing: or anybody could say that he lives where another does.
  if (is_forwarded(outcome.reason)) {
    stations_.learn(firewall_->packet().source_mac, in_port, now_ms);
  }
  firewall_->count(outcome.reason);
  return outcome;
}

Outcome Bridge::decide(std::span<const std::uint8_t> frame, std::size_t in_port,
                       std::size_t out_port, std::uint64_t now_ms) {
  const Packet& packet = firewall_->packet();
  Outcome out;
  if (firewall_->take(frame, now_ms) != Malformed::no) return out;
  if (is_reserved(packet.target_mac)) {
    out.reason = Reason::reserved;
    return out;
  }
  if (stations_.port_of(packet.target_mac, now_ms) == in_port) {
    out.reason = Reason::at_home;
    return out;
  }
  if (packet.is_ip && !packet.fragment.is_first) {
    out.reason = firewall_->follow_first(frame, in_port, now_ms).reason;
    return out;
  }
  FlowTable& flows = firewall_->flows();
  const FlowTable::Found found = flows.look(packet, now_ms);
  out = firewall_->ask({&packet, in_port, out_port, found.state, frame.size(), now_ms});
  if (out.reason != Reason::rule_accepts) return out;
  if (!flows.commit(found, packet, packet.tuple.reversed(), now_ms)) {
    out.reason = Reason::full;
  } else if (packet.fragment.is_part) {
    firewall_->open_datagram(in_port, {}, now_ms);
  }
  return out;
}

}  // namespace images::firewall
