// What bridge and router share: rules, flows, pieces of datagrams, and the count of what became of
// frames. Pure: no clock, no network, no console; memory only from the arena, only at the start.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/firewall/early_pieces.h"
#include "images/firewall/flow_table.h"
#include "images/firewall/fragment_table.h"
#include "images/firewall/packet.h"
#include "images/firewall/replies.h"
#include "images/firewall/rules.h"
#include "images/runtime/arena.h"

namespace images::firewall {

/// Why a frame goes through or not.
enum class Reason : std::uint8_t {
  rule_accepts,
  follows,  // a later piece of a datagram whose first was accepted
  waits,    // a piece that came before its first; it comes again when that is accepted
  rule_drops,
  rule_rejects,
  policy,     // no rule decided
  malformed,  // Malformed says how
  fragment,   // a piece over what came, or of the firewall's own datagram before its first
  full,       // a new flow, and no room in the table
  // Of a bridge:
  at_home,   // its receiver lives on the side that it came from
  reserved,  // between neighbouring bridges
  // Of a router:
  own,           // for the firewall itself, and welcome
  elsewhere,     // to another station, or no IP
  bogus,         // addresses that nobody forwards, or that do not live where it came from
  expired,       // its last hop
  too_big,       // for the way that it must go, and must not be cut
  unreachable,   // no way there
  untranslated,  // no address or port left for it
};
inline constexpr std::size_t kReasons = 18;

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
  Rejection rejection;   // of rule_rejects
};

struct FirewallOptions {
  std::size_t flows = 16384;         // about 170 bytes each
  std::size_t datagrams = 1024;      // in pieces, at once
  std::uint64_t adopt_until_ms = 0;  // FlowTable::adopt_until
  std::uint32_t replies = 100;       // ICMP errors and resets a second (1..1000000)
  std::size_t early_pieces = 64;     // that wait for their first: 1.6 KiB each
};

class Firewall {
 public:
  /// The rules outlive it. False: too little memory.
  bool create(const FirewallOptions& options, RuleSet& rules, const HashKey& key,
              runtime::Arena& memory);

  /// Read a frame that came in; forget the flows that are over.
  Malformed take(std::span<const std::uint8_t> frame, std::uint64_t now_ms);
  /// What chain forward says of a packet. It commits nothing.
  Outcome ask(const Passage& passage);
  /// What chain input says of the packet for the firewall itself that was taken: Reason::own if
  /// it is welcome. Without that chain all are, or none.
  Outcome ask_input(std::size_t frame_bytes, std::size_t port, bool welcome_without,
                    std::uint64_t now_ms);
  /// A frame of an interface that is never forwarded to, as ask_input.
  Outcome admit(std::span<const std::uint8_t> frame, std::size_t port, std::uint64_t now_ms);

  /// The first piece of a datagram that was taken goes on; those that came before it may, too.
  void open_datagram(std::size_t port, const FragmentTable::Way& way, std::uint64_t now_ms);
  struct Piece {
    Reason reason = Reason::fragment;
    const FragmentTable::Way* way = nullptr;  // of Reason::follows, until the next datagram
  };
  /// What becomes of a later piece that was taken: it follows, waits, or is dropped.
  Piece follow_first(Bytes frame, std::size_t port, std::uint64_t now_ms);
  /// The same of one that can only be for the firewall itself. It never waits: Reason::own if its
  /// first was welcome.
  Reason follow_own(std::size_t port, std::uint64_t now_ms);
  /// A frame that waited and must now be taken again; without bytes: there is none.
  EarlyPieces::Frame next_early() { return early_.next(); }

  /// True if one more reply to a packet that is dropped may be sent now.
  bool may_reply(std::uint64_t now_ms);
  /// What the sender of a rejected frame is told, in the name of its receiver or, for errors of a
  /// router, from an address of its own. Returns its bytes in `out`, for the port that the frame
  /// came in by; 0: nothing.
  std::size_t refuse(const Rejection& rejection, Bytes frame, const Address* from,
                     std::uint64_t now_ms, ReplyBuffer& out);

  /// Counts what became of a frame.
  void count(Reason reason) { ++counts_[static_cast<std::size_t>(reason)]; }

  /// The frame that was taken last, as far as it could be read.
  Packet& packet() { return packet_; }
  FlowTable& flows() { return flows_; }
  RuleSet& rules() { return *rules_; }

  /// Frames by what became of them.
  const std::array<std::uint64_t, kReasons>& counts() const { return counts_; }
  const FlowTable& flows() const { return flows_; }
  const RuleSet& rules() const { return *rules_; }

 private:
  RuleSet* rules_ = nullptr;
  FlowTable flows_;
  FragmentTable fragments_;
  EarlyPieces early_;
  Packet packet_;
  Limit replies_;
  std::array<std::uint64_t, kReasons> counts_{};
};

}  // namespace images::firewall
