// Datagrams in pieces: later pieces follow the verdict on the first, which has the ports. Pieces
// that overlap what came before, or come before the first, are dropped: nobody behind us may put
// together another datagram than the one that was judged.
#pragma once

#include <cstdint>
#include <span>

#include "images/firewall/flow_hash.h"
#include "images/firewall/packet.h"
#include "images/runtime/arena.h"

namespace images::firewall {

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

  /// Its way if a later piece may follow: its first went through here, in the last 30 s, and it
  /// begins at or behind the end of what came. Else nullptr.
  const Way* follow(const Packet& packet, std::size_t port, std::uint64_t now_ms);

 private:
  struct Entry {
    Tuple tuple;  // without ports
    std::uint32_t id = 0;
    std::uint32_t end = 0;  // bytes of the datagram up to the furthest piece
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
