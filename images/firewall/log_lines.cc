#include "images/firewall/log_lines.h"

#include <array>

#include "images/runtime/console.h"

namespace images::firewall {
namespace {

constexpr std::uint32_t kLinesPerSecond = 10;

void add_address(runtime::Line& line, const Address& address, bool is_ip6) {
  if (!is_ip6) {
    line.add(runtime::Ipv4{{address[0], address[1], address[2], address[3]}});
    return;
  }
  line.add(runtime::Ipv6{address});
}

std::string_view protocol_name(const Tuple& tuple) {
  switch (tuple.protocol) {
    case kTcp: return "tcp";
    case kUdp: return "udp";
    case kIcmp: return "icmp";
    case kIcmp6: return "icmpv6";
    default: return {};
  }
}

void add_end(runtime::Line& line, const Packet& packet, const Address& address,
             std::uint16_t port) {
  const std::uint8_t protocol = packet.tuple.protocol;
  add_address(line, address, packet.tuple.is_ip6);
  if (!packet.has_transport || (protocol != kTcp && protocol != kUdp)) return;
  line.add(packet.tuple.is_ip6 ? '.' : ':');
  line.add(port);
}

void add_packet(runtime::Line& line, const Packet& packet) {
  if (!packet.is_ip) {
    line.add("ether type ");
    line.add(runtime::Hex{packet.ether_type});
    return;
  }
  const Tuple& tuple = packet.tuple;
  const std::string_view protocol = protocol_name(tuple);
  if (protocol.empty()) {
    line.add("protocol ");
    line.add(tuple.protocol);
  } else {
    line.add(protocol);
  }
  if (packet.has_transport && (tuple.protocol == kIcmp || tuple.protocol == kIcmp6)) {
    line.add(" type ");
    line.add(packet.icmp_type);
  }
  line.add(' ');
  add_end(line, packet, tuple.source, tuple.source_port);
  line.add(" > ");
  add_end(line, packet, tuple.target, tuple.target_port);
}

}  // namespace

bool LogLines::may_write(std::uint64_t now_ms) {
  const std::uint64_t second = now_ms / 1000;
  if (second != second_) written_ = 0;
  second_ = second;
  if (written_ < kLinesPerSecond) {
    ++written_;
    return true;
  }
  ++left_out_;
  return false;
}

void LogLines::write(const Outcome& outcome, const Packet& packet, std::string_view in,
                     std::string_view out, std::uint64_t now_ms) {
  if (!may_write(now_ms)) return;
  if (left_out_ > 0) runtime::print("firewall: log: ", left_out_, " more lines were left out");
  left_out_ = 0;
  runtime::Line line;
  line.add("firewall: log: ");
  line.add(outcome.log);
  line.add(" in=");
  line.add(in);
  line.add(" out=");
  line.add(out);
  line.add(' ');
  add_packet(line, packet);
  const bool is_accepted = is_forwarded(outcome.reason) || outcome.reason == Reason::own;
  line.add(is_accepted                               ? ": accepted"
           : outcome.reason == Reason::rule_rejects ? ": rejected"
                                                     : ": dropped");
  runtime::print_line(line);
}

}  // namespace images::firewall
