// Rules as they are judged by: filled by rule_parser.h, fixed from then on but for counters and
// rate limits.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "images/firewall/flow_table.h"
#include "images/firewall/packet.h"

namespace images::firewall {

/// What a match looks at. A packet that does not have the field does not match, nor does `!=`.
enum class Field : std::uint8_t {
  in_port,
  out_port,
  ether_type,
  vlan,
  flow_state,   // a FlowState
  protocol,     // IPv4 or IPv6
  protocol4,    // IPv4 alone
  protocol6,    // IPv6 alone
  source4,
  target4,
  source6,
  target6,
  tcp_source,
  tcp_target,
  udp_source,
  udp_target,
  icmp_type,
  icmp6_type,
};

/// True for the fields that are compared as 16 bytes.
constexpr bool is_wide(Field field) {
  return field == Field::source6 || field == Field::target6;
}

/// Both ends belong to it.
struct Range {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};
struct WideRange {
  Address first{};
  Address last{};
};

/// A run of ranges, sorted and without overlaps.
struct ValueSet {
  std::uint32_t first = 0;  // in RuleSet::ranges or wide_ranges
  std::uint32_t count = 0;
};

struct Match {
  Field field = Field::in_port;
  bool is_negated = false;
  ValueSet values;
};

/// A bucket of `burst` packets that fills at `packets` per `unit_ms`.
struct Limit {
  std::uint32_t packets = 0;
  std::uint32_t unit_ms = 0;
  std::uint32_t burst = 0;
  bool is_over = false;        // matches what is over it instead
  std::uint64_t level = 0;     // in packets times unit_ms
  std::uint64_t filled_ms = 0;
};

struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint32_t line = 0;
};

enum class StepKind : std::uint8_t { match, limit, counter, log };

/// One statement of a rule, in the order in which it was written.
struct Step {
  StepKind kind = StepKind::match;
  Match match;
  std::uint32_t index = 0;  // of limits or counters
  std::string_view prefix;  // of log
};

enum class Verdict : std::uint8_t { next, accept, drop, reject, dnat, snat };

/// How the sender of a rejected packet is told.
struct Rejection {
  bool is_reset = false;  // TCP's RST, else an ICMP "destination unreachable" of this code:
  std::uint8_t code = 3;  // port unreachable
  std::uint8_t code6 = 4;
};

/// What a packet gets by dnat and snat; masquerade is snat without an address.
struct NatTarget {
  bool has_address = false;  // else it is that of the interface
  Address address{};         // IPv4
  bool has_ports = false;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;  // dnat: as the first
};

struct Rule {
  std::uint32_t line = 0;
  std::uint32_t first_step = 0;
  std::uint32_t step_count = 0;
  Verdict verdict = Verdict::next;
  Rejection rejection;       // of reject
  std::uint32_t target = 0;  // of dnat and snat: which of RuleSet::targets
};

struct Chain {
  std::span<const Rule> rules;
  Verdict policy = Verdict::drop;
  bool is_written = false;  // false: the file has no such chain
};

struct RuleSet {
  Chain forward;  // what goes from one port to the other
  Chain input;    // what is for the firewall itself
  Chain prerouting;   // the first packet of a flow, before its way is looked for: dnat
  Chain postrouting;  // and when it leaves: snat
  std::span<const Step> steps;
  std::span<const Range> ranges;
  std::span<const WideRange> wide_ranges;
  std::span<Limit> limits;
  std::span<Counter> counters;
  std::span<const NatTarget> targets;
};

/// A packet on its way.
struct Passage {
  const Packet* packet = nullptr;
  std::size_t in_port = 0;
  std::size_t out_port = 0;
  FlowState state = FlowState::untracked;
  std::size_t frame_bytes = 0;
  std::uint64_t now_ms = 0;
};

struct Judgement {
  Verdict verdict = Verdict::drop;  // never next
  const Rule* rule = nullptr;       // that decided; none: the policy
  std::uint32_t line = 0;           // its line, or 0
  bool has_log = false;
  std::string_view log;  // the prefix of the last log that was reached
};

/// True if there is something left in the bucket of a limit; takes one out.
bool take_one(Limit& limit, std::uint64_t now_ms);

/// The first rule of that chain that decides, else its policy. Counts and uses up limits on the
/// way.
Judgement judge(RuleSet& rules, const Chain& chain, const Passage& passage);

}  // namespace images::firewall
