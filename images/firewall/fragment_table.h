// Datagrams in pieces: later pieces follow the verdict on the first, which has the ports, in any
// order. Pieces that overlap what came before are dropped: nobody behind us may put together
// another datagram than the one that was judged.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/flow_hash.h"
#include "images/firewall/packet.h"
#include "images/runtime/arena.h"

namespace images::firewall {

/// Which bytes of a datagram came: whole ranges with holes between.
class Covered {
 public:
  static constexpr std::size_t kRanges = 4;

  /// The bytes from `begin` to before `end`, the datagram's last or not. False: they overlap what
  /// came, are beyond its end, or leave more holes than can be remembered.
  bool add(std::uint32_t begin, std::uint32_t end, bool is_last);
  bool is_whole() const { return count_ == 1 && end_ != 0 && ranges_[0] == Range{0, end_}; }

 private:
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool operator==(const Range&) const = default;
  };

  std::array<Range, kRanges> ranges_{};  // in order, apart from each other
  std::size_t count_ = 0;
  std::uint32_t end_ = 0;  // of the datagram; 0: its last piece did not come yet
};

class FragmentTable {
 public:
  /// Memory for that many datagrams on their way (1..65536). False: the arena has too little.
  bool create(std::size_t datagrams, const HashKey& key, runtime::Arena& memory);

  /// Where the pieces of a datagram go, and as whose.
  struct Way {
    bool is_own = false;  // to the firewall itself
    Address source{};
    Address target{};
  };

  /// The first piece of a datagram goes through, received on that port.
  void open(const Packet& packet, std::size_t port, const Way& way, std::uint64_t now_ms);

  struct Followed {
    const Way* way = nullptr;  // nullptr: it may not go on
    bool is_early = false;     // because its first did not go through here in kDatagramMs
  };
  /// The way of a later piece.
  Followed follow(const Packet& packet, std::size_t port, std::uint64_t now_ms);

 private:
  struct Entry {
    Tuple tuple;  // without_ports()
    std::uint32_t id = 0;
    Covered came;
    std::size_t port = 0;
    Way way;
    std::uint64_t begun_ms = 0;
    bool is_open = false;
  };

  Entry& place_of(const Tuple& tuple, std::uint32_t id);

  HashKey key_{};
  std::span<Entry> entries_;
};

}  // namespace images::firewall
