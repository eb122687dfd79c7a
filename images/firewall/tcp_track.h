// How far a TCP connection is, and whether a segment can belong to it: sequence numbers within what
// the receiver allowed, after Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter"
// (2000), without SACK. Pure; numbers wrap.
#pragma once

#include <cstdint>

#include "images/firewall/packet.h"

namespace images::firewall {

enum class TcpState : std::uint8_t {
  opening,      // a SYN was let through
  answered,     // and its SYN+ACK
  established,  // and the ACK of that
  closing,      // one side has sent FIN
  closed,       // both have: a new SYN may take the place
  reset,        // a valid RST was let through: as closed
};

/// What one side sent and allowed.
struct TcpSide {
  std::uint32_t end = 0;     // behind the last byte that it sent
  std::uint32_t limit = 0;   // up to where the other side lets it send
  std::uint32_t window = 0;  // the largest that it offered, scaled
  std::uint8_t shift = 0;
  bool offered_shift = false;
  bool known = false;  // its SYN was seen
  bool sent_fin = false;
};

struct TcpTrack {
  TcpState state = TcpState::opening;
  TcpSide sides[2];  // 0: who opened
  bool lax = false;  // sequence numbers are not known: not checked
};

/// Flags that no TCP sends together, and none at all.
bool has_bad_flags(std::uint8_t flags);

/// A connection that this segment, which has SYN and no ACK, opens.
TcpTrack open_tcp(const TcpHeader& header);
/// One that was open before we saw it.
TcpTrack adopt_tcp();

/// True if the segment of that side can belong to the connection.
bool is_valid_tcp(const TcpTrack& track, std::size_t side, const TcpHeader& header);
/// True if it opens a new connection in the place of one that is over.
bool reopens_tcp(const TcpTrack& track, std::size_t side, const TcpHeader& header);
/// The segment is valid and goes through. `is_part`: of a datagram in pieces, its length unknown.
void advance_tcp(TcpTrack& track, std::size_t side, const TcpHeader& header, bool is_part);

}  // namespace images::firewall
