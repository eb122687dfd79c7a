// The stations that a router sends to, by address, and the few frames that wait until one is known.
// Memory is fixed at the start: many addresses that nobody has push each other out, not those that
// answered.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/flow_hash.h"
#include "images/firewall/neighbour_talk.h"
#include "images/runtime/arena.h"

namespace images::firewall {

struct Neighbour {
  Address address{};
  std::size_t port = 0;
  bool is_ip6 = false;
  bool is_used = false;
  bool is_known = false;
  Mac mac{};
  std::uint8_t asked = 0;  // questions since it was heard last
  std::uint64_t asked_ms = 0;
  std::uint64_t heard_ms = 0;
  std::uint64_t needed_ms = 0;
};

/// An IP packet in its frame as it came, but for what its way has changed.
struct Waiting {
  Neighbour* neighbour = nullptr;  // nullptr: this place is free
  std::size_t in_port = 0;
  std::size_t size = 0;
  std::array<std::uint8_t, 1514> frame{};
};

class Neighbours {
 public:
  static constexpr int kQuestions = 3;               // without an answer: it is not there
  static constexpr std::uint64_t kAskEveryMs = 1000;
  static constexpr std::uint64_t kFreshMs = 30'000;  // asked again behind it, RFC 4861 section 10
  static constexpr std::size_t kWaitingEach = 16;    // frames for one neighbour

  /// Memory for so many neighbours, 4 at least, and frames that wait. False: too little.
  bool create(std::size_t neighbours, std::size_t frames, const HashKey& key,
              runtime::Arena& memory);

  /// The neighbour of that address on that port; a new one takes the place of the one that was
  /// needed longest ago, of unknown ones first.
  Neighbour& of(std::size_t port, const Address& address, bool is_ip6, std::uint64_t now_ms);

  /// Somebody on the port said so. The neighbour if he is one that we asked for, else nullptr.
  Neighbour* hear(std::size_t port, const Heard& heard, std::uint64_t now_ms);

  /// True if he should be asked now; then that counts as done.
  bool must_ask(Neighbour& neighbour, std::uint64_t now_ms) const;

  /// Keep a frame (at most 1514 bytes) until he is known. False: too many wait already.
  bool keep(Neighbour& neighbour, std::size_t in_port, Bytes frame);
  /// A frame that waits for him; nullptr: none does.
  Waiting* waiting_for(const Neighbour& neighbour);

  /// He is not there: forget him and what waits.
  void forget(Neighbour& neighbour);

  std::span<Neighbour> all() { return neighbours_; }

 private:
  std::span<Neighbour> place_of(std::size_t port, const Address& address, bool is_ip6);
  Neighbour* find(std::size_t port, const Address& address, bool is_ip6);

  HashKey key_{};
  std::span<Neighbour> neighbours_;
  std::span<Waiting> waiting_;
};

}  // namespace images::firewall
