#include "images/firewall/nat.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::uint32_t kMaxTries = 256;

bool has_source_port(const Tuple& tuple) {
  const bool is_query = is_icmp_query(tuple.protocol, static_cast<std::uint8_t>(tuple.target_port));
  return tuple.protocol == kTcp || tuple.protocol == kUdp || is_query;
}

}  // namespace

bool choose_source(const FlowTable& flows, const NatTarget& target, const Address& address,
                   const HashKey& key, const Tuple& received, std::uint64_t now_ms,
                   Tuple& leaves) {
  leaves.source = address;
  if (!has_source_port(leaves)) return !flows.is_taken(leaves.reversed(), received, now_ms);
  const std::uint32_t first = target.has_ports ? target.first_port : kFirstNatPort;
  const std::uint32_t last = target.has_ports ? target.last_port : kLastNatPort;
  const std::uint32_t count = last - first + 1;
  const auto begin =
      static_cast<std::uint32_t>(hash_of(received, {~key[0], key[1] + flows.counts().opened}));
  for (std::uint32_t i = 0; i < std::min(count, kMaxTries); ++i) {
    leaves.source_port = static_cast<std::uint16_t>(first + (begin % count + i) % count);
    if (!flows.is_taken(leaves.reversed(), received, now_ms)) return true;
  }
  return false;
}

void change_target(const NatTarget& target, Tuple& leaves) {
  if (target.has_address) leaves.target = target.address;
  const bool has_ports = leaves.protocol == kTcp || leaves.protocol == kUdp;
  if (target.has_ports && has_ports) leaves.target_port = target.first_port;
}

}  // namespace images::firewall
