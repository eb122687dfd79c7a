// Pieces of datagrams that came before their first, which alone has the ports: they wait here for
// the verdict on it. A full store forgets the oldest, so a flood of them costs no other traffic.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/packet.h"
#include "images/runtime/arena.h"

namespace images::firewall {

class EarlyPieces {
 public:
  struct Frame {
    std::size_t port = 0;
    std::span<std::uint8_t> bytes;  // until the next keep(); empty: there is none
  };

  /// Memory for that many frames (1..1024) of at most 1514 bytes. False: the arena has too little.
  bool create(std::size_t frames, runtime::Arena& memory);

  /// Keep a copy of the piece that was received on that port. False: the frame is too long.
  bool keep(const Packet& piece, std::size_t port, Bytes frame, std::uint64_t now_ms);

  /// What is kept of that datagram may go on, as next() gives it out; not what is too old.
  void release(const Packet& first, std::size_t port, std::uint64_t now_ms);
  /// One that was released, in the order in which they came. It is kept no longer.
  Frame next();

 private:
  enum class Use : std::uint8_t { free, waits, goes_on };
  struct Kept {
    Tuple tuple;  // without_ports()
    std::uint32_t id = 0;
    std::size_t port = 0;
    std::size_t size = 0;
    std::uint64_t came_ms = 0;
    Use use = Use::free;
    std::array<std::uint8_t, 1514> bytes{};
  };

  std::span<Kept> kept_;
  std::size_t oldest_ = 0;  // the place that the next one takes
  std::size_t released_ = 0;
};

}  // namespace images::firewall
