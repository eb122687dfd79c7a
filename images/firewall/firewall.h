// The bridge with rules: a frame in, a verdict out. Pure: no clock, no network, no console; memory
// only from the arena and only at the start.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/firewall/flow_table.h"
#include "images/firewall/fragment_table.h"
#include "images/firewall/packet.h"
#include "images/firewall/rules.h"
#include "images/firewall/stations.h"
#include "images/runtime/arena.h"

namespace images::firewall {

/// Why a frame goes through or not.
enum class Reason : std::uint8_t {
  rule_accepts,
  follows,  // a later piece of a datagram whose first was accepted
  rule_drops,
  policy,     // no rule decided
  malformed,  // Malformed says how
  fragment,   // a piece without its first, or over what came
  full,       // a new flow, and no room in the table
  at_home,    // its receiver lives on the side that it came from
  reserved,   // between neighbouring bridges
};
inline constexpr std::size_t kReasons = 9;

/// The word for it, as counters are called.
std::string_view name_of(Reason reason);
constexpr bool is_forwarded(Reason reason) {
  return reason == Reason::rule_accepts || reason == Reason::follows;
}

struct Outcome {
  Reason reason = Reason::malformed;
  std::uint32_t line = 0;  // of the rule that decided; 0: none did
  bool has_log = false;
  std::string_view log;  // the rule's prefix; the frame is packet()'s
};

struct FirewallOptions {
  std::size_t flows = 16384;      // about 170 bytes each
  std::size_t datagrams = 1024;   // in pieces, at once
  std::size_t stations = 4096;
  std::uint64_t adopt_until_ms = 0;  // FlowTable::adopt_until
};

class Firewall {
 public:
  /// The rules outlive it. False: too little memory.
  bool create(const FirewallOptions& options, RuleSet& rules, const HashKey& key,
              runtime::Arena& memory);

  /// A frame that came in on one port and would leave by the other.
  Outcome judge(std::span<const std::uint8_t> frame, std::size_t in_port, std::size_t out_port,
                std::uint64_t now_ms);

  /// True if a frame for the firewall itself is welcome: chain input, or any if there is none.
  bool admits(std::span<const std::uint8_t> frame, std::size_t port, std::uint64_t now_ms);

  /// The frame that was judged last, as far as it could be read.
  const Packet& packet() const { return packet_; }

  /// Frames by what became of them.
  const std::array<std::uint64_t, kReasons>& counts() const { return counts_; }
  const FlowTable& flows() const { return flows_; }
  const RuleSet& rules() const { return *rules_; }

 private:
  Outcome decide(std::span<const std::uint8_t> frame, std::size_t in_port, std::size_t out_port,
                 std::uint64_t now_ms);
  Outcome ask_rules(const Passage& passage, const FlowTable::Found& found);

  RuleSet* rules_ = nullptr;
  FlowTable flows_;
  FragmentTable fragments_;
  Stations stations_;
  Packet packet_;
  std::array<std::uint64_t, kReasons> counts_{};
};

}  // namespace images::firewall
