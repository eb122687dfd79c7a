// What one Ethernet frame is: the fields that rules and flows look at. Pure; trusts no length in
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "images/firewall/bytes.h"

namespace images::firewall {

/// An IPv4 address stands in the first four bytes, the others are zero.
using Address = std::array<std::uint8_t, 16>;

inline constexpr std::size_t kEtherBytes = 14;
inline constexpr std::size_t kIcmpBytes = 8;  // behind them an ICMP error quotes

inline constexpr std::uint16_t kEtherIp4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherIp6 = 0x86dd;

inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmp6 = 58;
inline constexpr std::uint8_t kNoNextHeader = 59;

inline constexpr std::uint8_t kTcpFin = 0x01;
inline constexpr std::uint8_t kTcpSyn = 0x02;
inline constexpr std::uint8_t kTcpRst = 0x04;
inline constexpr std::uint8_t kTcpPsh = 0x08;
inline constexpr std::uint8_t kTcpAck = 0x10;
inline constexpr std::uint8_t kTcpUrg = 0x20;

/// Addresses, protocol and ports: the name of one direction of a flow. For ICMP queries the asker's
/// port is the identifier and the other's the query's type, so that two who ask each other differ.
struct Tuple {
  Address source{};
  Address target{};
  std::uint16_t source_port = 0;
  std::uint16_t target_port = 0;
  std::uint8_t protocol = 0;
  bool is_ip6 = false;

  Tuple reversed() const {
    return {target, source, target_port, source_port, protocol, is_ip6};
  }
  /// The name of all pieces of a datagram, with their identification.
  Tuple without_ports() const { return {source, target, 0, 0, protocol, is_ip6}; }
  bool operator==(const Tuple&) const = default;
};

/// The time that a receiver takes to put a datagram together, as Linux does.
inline constexpr std::uint64_t kDatagramMs = 30'000;

/// A piece of a datagram.
struct Fragment {
  bool is_part = false;
  bool is_first = true;
  bool is_last = true;
  std::uint32_t id = 0;
  std::uint32_t begin = 0;  // bytes in the whole datagram
  std::uint32_t end = 0;
};

struct TcpHeader {
  std::uint8_t flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint32_t payload_bytes = 0;
  std::uint16_t window = 0;
  std::uint8_t window_shift = 0;
  bool has_window_shift = false;
};

/// Why a frame is dropped before any rule sees it.
enum class Malformed : std::uint8_t {
  no,
  frame,      // shorter than its own headers say
  ip_header,  // version, lengths or checksum of IPv4 and IPv6
  options,    // more or longer extension headers than anybody sends
  fragment,   // a piece of no datagram: too long, or its first without all of the next header
  transport,  // TCP, UDP and ICMP headers cut short or with lengths that lie
};

struct Packet {
  std::array<std::uint8_t, 6> target_mac{};
  std::array<std::uint8_t, 6> source_mac{};
  std::uint16_t ether_type = 0;  // 0: an 802.3 frame with a length
  bool is_tagged = false;        // 802.1Q; then nothing behind the tag is looked at
  std::uint16_t vlan = 0;        // 0..4095

  bool is_ip = false;  // IPv4 or IPv6: what follows counts
  Tuple tuple;         // ports only for TCP, UDP and ICMP echo, and in a datagram's first piece
  Fragment fragment;
  std::uint8_t hops = 0;        // that are left: TTL, hop limit
  bool may_be_cut = false;      // into pieces by whoever forwards it: IPv4 without DF
  std::uint32_t transport_at = 0;  // bytes from the frame's begin to what is behind IP's headers
  std::uint32_t end = 0;           // and to the end of the IP packet; behind it is padding
  bool has_transport = false;  // the header behind IP was read
  bool checksum_fails = false;  // of TCP, UDP or ICMP; not known for pieces
  TcpHeader tcp;
  std::uint8_t icmp_type = 0;  // of ICMP and ICMPv6
  std::uint8_t icmp_code = 0;
  bool is_icmp_error = false;  // then `about` is the packet that it complains of, if that was read
  bool has_about = false;
  Tuple about;
  std::uint32_t about_transport_at = 0;  // as transport_at, of what is quoted
};

/// Read a frame. What is no IPv4 or IPv6 has only its Ethernet fields.
Malformed read_packet(std::span<const std::uint8_t> frame, Packet& out);

/// Adds the addresses, protocol and length that checksums behind IP cover, but ICMP's of IPv4.
void add_pseudo_header(const Tuple& tuple, std::size_t size, Checksum& sum);

/// True for the ICMP queries that expect an answer: echo, timestamp and their like.
bool is_icmp_query(std::uint8_t protocol, std::uint8_t type);
/// The type of the query that an ICMP type answers. False: it answers none.
bool query_of_reply(std::uint8_t protocol, std::uint8_t type, std::uint8_t& query);
/// True for what neighbours and routers say on a link, and listeners: no flow of anybody.
bool is_link_talk(const Packet& packet);

}  // namespace images::firewall
