// What the firewall says of a packet that it does not let through: ICMP errors and TCP resets, back
// to the station that sent the frame. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/bytes.h"
#include "images/firewall/packet.h"

namespace images::firewall {

/// As in RFC 792 and RFC 4443.
struct IcmpError {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t mtu = 0;  // of "fragmentation needed" and "packet too big"
};

/// Room for any of these replies.
inline constexpr std::size_t kMaxReplyBytes = kEtherBytes + 1280;
using ReplyBuffer = std::array<std::uint8_t, kMaxReplyBytes>;

/// False for what nobody may complain of (RFC 1122 section 3.2.2, RFC 4443 section 2.4): errors,
/// later pieces, wrong checksums, and what was not sent by one station to one station.
bool may_complain_of(const Packet& packet);

/// An error about the packet in the frame, from that address. Returns its bytes in `out`.
std::size_t make_icmp_error(const Packet& packet, Bytes frame, const IcmpError& error,
                            const Address& from, ReplyBuffer& out);

/// A reset in the name of the receiver; of a RST, or no TCP: 0, nothing.
std::size_t make_tcp_reset(const Packet& packet, Bytes frame, ReplyBuffer& out);

}  // namespace images::firewall
