// What stations on a link say of their addresses: ARP (RFC 826) and neighbour discovery (RFC 4861).
// Reads what comes from anybody, makes our questions. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/firewall/bytes.h"
#include "images/firewall/packet.h"
#include "images/firewall/stations.h"

namespace images::firewall {

/// "That address is at that station."
struct Heard {
  bool is_valid = false;
  bool is_ip6 = false;
  bool overrides = true;  // also another station that is known for it
  Address address{};
  Mac mac{};
};

/// An ARP frame's sender.
Heard hear_arp(Bytes frame);
/// What a neighbour solicitation says of its sender, or an advertisement of its target.
Heard hear_discovery(const Packet& packet, Bytes frame);

/// Who asks.
struct Asker {
  Mac mac{};
  Address address{};   // IPv4
  Address address6{};
};
inline constexpr std::size_t kMaxQuestionBytes = 86;
using Question = std::array<std::uint8_t, kMaxQuestionBytes>;

/// "Who has that address?", to all stations that could. Returns its bytes in `out`.
std::size_t ask_for(const Address& address, bool is_ip6, const Asker& asker, Question& out);

}  // namespace images::firewall
