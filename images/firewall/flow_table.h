// The flows that go through: who opened, who answered, how far they are. Memory is fixed at the
// start; a full table forgets the oldest flow that nobody has answered, and refuses a new one
// rather than forget one that both sides use.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/flow_hash.h"
#include "images/firewall/packet.h"
#include "images/firewall/tcp_track.h"
#include "images/runtime/arena.h"

namespace images::firewall {

/// How a packet stands to the flows; the words of `ct state`.
enum class FlowState : std::uint8_t { fresh, established, related, invalid, untracked };

/// How long a flow is kept in silence. Flows of one phase stand in one list, the oldest first.
enum class Phase : std::uint8_t {
  tcp_opening,
  tcp_established,
  tcp_closing,
  tcp_over,
  udp_one_way,
  udp_both_ways,
  icmp,
  other_one_way,
  other_both_ways,
};
inline constexpr std::size_t kPhases = 9;

/// Silence in ms after which a flow of that phase is forgotten.
std::uint32_t timeout_ms(Phase phase);
/// True if a full table may forget it.
bool is_forgettable(Phase phase);

struct Flow {
  /// As the packets of each direction are on the wire: [0] whoever opened. Without address
  /// translation [1] is [0] reversed.
  std::array<Tuple, 2> tuples;
  std::array<std::uint32_t, 2> next_in_bucket{};  // a Slot each
  std::uint32_t older = 0;                        // in the phase's list; 0: none
  std::uint32_t newer = 0;
  std::uint64_t seen_ms = 0;
  Phase phase = Phase::tcp_opening;
  bool is_answered = false;  // a packet of direction 1 went through
  TcpTrack tcp;
};

struct FlowCounts {
  std::uint64_t opened = 0;
  std::uint64_t expired = 0;
  std::uint64_t forgotten = 0;  // to make room
  std::uint64_t refused = 0;    // for want of room
};

class FlowTable {
 public:
  /// What look() found; valid until the next commit().
  struct Found {
    FlowState state = FlowState::invalid;
    std::uint32_t flow = 0;  // its number; 0: none
    std::size_t side = 0;    // who sent: 0 whoever opened
  };

  /// Memory for that many flows (1..2^24), about 170 bytes each. False: the arena has too little.
  bool create(std::size_t flows, const HashKey& key, runtime::Arena& memory);

  /// Until then TCP connections that were open before us are taken for new ones; else invalid.
  void adopt_until(std::uint64_t time_ms) { adopt_until_ms_ = time_ms; }

  /// What a packet is, IP or not. Changes nothing: a packet that a rule drops leaves no trace.
  Found look(const Packet& packet, std::uint64_t now_ms) const;
  /// The packet goes through, its tuple as it was received. A flow that it opens is answered by
  /// packets of `back`. False: there is no room for that flow; then it must not.
  bool commit(const Found& found, const Packet& packet, const Tuple& back, std::uint64_t now_ms);

  /// How packets of side 0 and 1 of a flow that was found are on the wire.
  const std::array<Tuple, 2>& tuples(const Found& found) const {
    return flows_[found.flow].tuples;
  }
  /// True if answers by `back` could not be told from those of another flow than the one that
  /// `forth` opens.
  bool is_taken(const Tuple& back, const Tuple& forth, std::uint64_t now_ms) const;
  /// Forget the flows whose answers go to that address: it is no longer ours.
  void forget_answers_to(const Address& address);

  /// Forget what has been silent for too long; at most 64 at once, so that it may stand in the way
  /// of packets.
  void expire(std::uint64_t now_ms);

  std::size_t size() const { return used_; }
  std::size_t capacity() const { return flows_.empty() ? 0 : flows_.size() - 1; }
  const FlowCounts& counts() const { return counts_; }

 private:
  struct List {
    std::uint32_t oldest = 0;
    std::uint32_t newest = 0;
  };

  std::uint32_t& bucket_of(const Tuple& tuple) const;
  std::uint32_t slot_of(const Tuple& tuple) const;
  Found find(const Tuple& tuple, std::uint64_t now_ms) const;
  Found look_for_error(const Packet& packet, std::uint64_t now_ms) const;
  Found look_for_tcp(const Packet& packet, Found found, std::uint64_t now_ms) const;
  bool open(const Packet& packet, const Tuple& back, std::uint64_t now_ms);
  bool make_room();
  void forget(std::uint32_t number);
  void link(std::uint32_t number, std::size_t side);
  void unlink(std::uint32_t number, std::size_t side);
  void append(std::uint32_t number, Phase phase, std::uint64_t now_ms);
  void detach(std::uint32_t number);

  HashKey key_{};
  std::uint64_t adopt_until_ms_ = 0;
  std::span<Flow> flows_;             // [0] is not used: 0 means none
  std::span<std::uint32_t> buckets_;  // Slots: 2 * number + side; a power of two of them
  std::uint32_t free_ = 0;            // linked by `newer`
  std::size_t used_ = 0;
  std::array<List, kPhases> lists_{};
  FlowCounts counts_;
};

}  // namespace images::firewall
