#include "images/firewall/rules.h"

#include <algorithm>

#include "images/firewall/bytes.h"

namespace images::firewall {
namespace {

/// The ranges of a set are sorted, so that only the last one that begins before can hold the value.
template <typename Ranges, typename Value>
bool holds(const Ranges& ranges, const ValueSet& set, const Value& value) {
  const auto all = ranges.subspan(set.first, set.count);
  auto at = std::upper_bound(all.begin(), all.end(), value,
                             [](const Value& v, const auto& range) { return v < range.first; });
  return at != all.begin() && !(std::prev(at)->last < value);
}

/// The number to compare. False: the packet does not have the field.
bool value_of(Field field, const Passage& passage, std::uint32_t& out) {
  const Packet& packet = *passage.packet;
  const Tuple& tuple = packet.tuple;
  const bool is_ip4 = packet.is_ip && !tuple.is_ip6;
  const bool is_ip6 = packet.is_ip && tuple.is_ip6;
  const bool has_tcp = packet.has_transport && tuple.protocol == kTcp;
  const bool has_udp = packet.has_transport && tuple.protocol == kUdp;
  switch (field) {
    case Field::in_port: out = static_cast<std::uint32_t>(passage.in_port); return true;
    case Field::out_port: out = static_cast<std::uint32_t>(passage.out_port); return true;
    case Field::ether_type: out = packet.ether_type; return true;
    case Field::vlan: out = packet.vlan; return packet.is_tagged;
    case Field::flow_state: out = static_cast<std::uint32_t>(passage.state); return true;
    case Field::protocol: out = tuple.protocol; return packet.is_ip;
    case Field::protocol4: out = tuple.protocol; return is_ip4;
    case Field::protocol6: out = tuple.protocol; return is_ip6;
    case Field::source4: out = read32(tuple.source, 0); return is_ip4;
    case Field::target4: out = read32(tuple.target, 0); return is_ip4;
    case Field::source6:
    case Field::target6: return is_ip6;
    case Field::tcp_source: out = tuple.source_port; return has_tcp;
    case Field::tcp_target: out = tuple.target_port; return has_tcp;
    case Field::udp_source: out = tuple.source_port; return has_udp;
    case Field::udp_target: out = tuple.target_port; return has_udp;
    case Field::icmp_type:
      out = packet.icmp_type;
      return is_ip4 && packet.has_transport && tuple.protocol == kIcmp;
    case Field::icmp6_type:
      out = packet.icmp_type;
      return is_ip6 && packet.has_transport && tuple.protocol == kIcmp6;
  }
  return false;
}

bool matches(const RuleSet& rules, const Match& match, const Passage& passage) {
  std::uint32_t value = 0;
  if (!value_of(match.field, passage, value)) return false;
  const Tuple& tuple = passage.packet->tuple;
  bool is_in = false;
  if (is_wide(match.field)) {
    const Address& address = match.field == Field::source6 ? tuple.source : tuple.target;
    is_in = holds(rules.wide_ranges, match.values, address);
  } else {
    is_in = holds(rules.ranges, match.values, value);
  }
  return is_in != match.is_negated;
}

/// False: a statement of the rule does not match.
bool take_step(RuleSet& rules, const Step& step, const Passage& passage, Judgement& out) {
  switch (step.kind) {
    case StepKind::match: return matches(rules, step.match, passage);
    case StepKind::limit: {
      Limit& limit = rules.limits[step.index];
      return take_one(limit, passage.now_ms) != limit.is_over;
    }
    case StepKind::counter: {
      Counter& counter = rules.counters[step.index];
      ++counter.packets;
      counter.bytes += passage.frame_bytes;
      return true;
    }
    case StepKind::log:
      out.has_log = true;
      out.log = step.prefix;
      return true;
  }
  return false;
}

}  // namespace

bool take_one(Limit& limit, std::uint64_t now_ms) {
  const std::uint64_t full = std::uint64_t{limit.burst} * limit.unit_ms;
  const std::uint64_t elapsed_ms = now_ms - limit.filled_ms;
  // After a unit for each packet of the burst it is full, whatever the rate: no overflow.
  limit.level = elapsed_ms >= full ? full
                                   : std::min(full, limit.level + elapsed_ms * limit.packets);
  limit.filled_ms = now_ms;
  const bool within = limit.level >= limit.unit_ms;
  if (within) limit.level -= limit.unit_ms;
  return within;
}

Judgement judge(RuleSet& rules, const Chain& chain, const Passage& passage) {
  Judgement out;
  for (const Rule& rule : chain.rules) {
    const auto steps = rules.steps.subspan(rule.first_step, rule.step_count);
    const bool all = std::all_of(steps.begin(), steps.end(), [&](const Step& step) {
      return take_step(rules, step, passage, out);
    });
    if (!all || rule.verdict == Verdict::next) continue;
    out.verdict = rule.verdict;
    out.rule = &rule;
    out.line = rule.line;
    return out;
  }
  out.verdict = chain.policy;
  return out;
}

}  // namespace images::firewall
