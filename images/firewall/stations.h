// Who lives on which side of the bridge, by the source addresses that were seen. Bounded: of two
// stations that want one place, the newer has it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/flow_hash.h"
#include "images/runtime/arena.h"

namespace images::firewall {

using Mac = std::array<std::uint8_t, 6>;

class Stations {
 public:
  static constexpr std::size_t kUnknown = SIZE_MAX;

  /// Memory for that many (1..65536). False: the arena has too little.
  bool create(std::size_t stations, const HashKey& key, runtime::Arena& memory);

  /// A frame from that address came in on the port.
  void learn(const Mac& mac, std::size_t port, std::uint64_t now_ms);
  /// The port that it was last seen on, in the last 5 minutes; else kUnknown.
  std::size_t port_of(const Mac& mac, std::uint64_t now_ms) const;

 private:
  struct Entry {
    Mac mac{};
    bool is_known = false;
    std::size_t port = 0;
    std::uint64_t seen_ms = 0;
  };

  std::size_t place_of(const Mac& mac) const;

  HashKey key_{};
  std::span<Entry> entries_;
};

inline bool is_group(const Mac& mac) { return (mac[0] & 1) != 0; }

/// 01:80:c2:00:00:0X: what bridges say to each other (IEEE 802.1D section 7.12.6); never forwarded.
bool is_reserved(const Mac& mac);

}  // namespace images::firewall
