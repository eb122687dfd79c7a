// What every user of lwIP's raw TCP does: hand it bytes as it takes them, and end a connection
// without leaving it pointers into memory that will be used again.
#pragma once

#include <lwip/tcp.h>

#include <cstddef>
#include <cstdint>

namespace images::runtime::net {

/// Bytes on their way out. lwIP keeps pointing at them until the other side has them, so they stay
/// as they are until through().
struct TcpOut {
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  std::size_t given = 0;  // to lwIP
  std::size_t acked = 0;  // the other side has them

  bool through() const { return acked == size; }
  /// lwIP points at some.
  bool is_held() const { return acked < given; }

  /// Hand lwIP as much as it takes now. What it does not take goes with the next event or poll.
  void push(tcp_pcb* pcb) {
    const std::size_t left = size - given;
    const std::size_t room = tcp_sndbuf(pcb);
    const auto count = static_cast<u16_t>(left < room ? left : room);
    if (count == 0) return;
    if (tcp_write(pcb, bytes + given, count, 0) != ERR_OK) return;
    given += count;
    tcp_output(pcb);
  }
};

/// End a connection and hear no more of it; by an abort if `held` (bytes that lwIP points at).
/// Returns what a callback of this connection must return then: ERR_ABRT or ERR_OK.
inline err_t end_connection(tcp_pcb* pcb, bool held) {
  tcp_arg(pcb, nullptr);
  tcp_recv(pcb, nullptr);
  tcp_sent(pcb, nullptr);
  tcp_poll(pcb, nullptr, 0);
  tcp_err(pcb, nullptr);
  if (!held && tcp_close(pcb) == ERR_OK) return ERR_OK;
  tcp_abort(pcb);
  return ERR_ABRT;
}

}  // namespace images::runtime::net
