#include "images/firewall/packet.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::uint16_t kFirstEtherType = 1536;  // below: the length of an 802.3 frame
constexpr std::size_t kIp4Bytes = 20;
constexpr std::size_t kIp6Bytes = 40;
constexpr std::size_t kTcpBytes = 20;
constexpr std::size_t kUdpBytes = 8;
constexpr std::uint32_t kMaxDatagramBytes = 65535;
constexpr int kMaxExtensionHeaders = 6;
constexpr std::uint8_t kMaxWindowShift = 14;  // RFC 7323 section 2.3

constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kAuthentication = 51;
constexpr std::uint8_t kDestination = 60;

/// IP's payload and what IP says of it.
struct Payload {
  Tuple tuple;
  Fragment fragment;
  Bytes bytes;
  std::uint8_t hops = 0;
  bool may_be_cut = false;
};

void copy_address(Bytes packet, std::size_t at, std::size_t size, Address& out) {
  std::copy_n(packet.begin() + static_cast<std::ptrdiff_t>(at), size, out.begin());
}

Malformed set_fragment(std::uint32_t begin, bool more, std::uint32_t id, Payload& out) {
  const auto size = static_cast<std::uint32_t>(out.bytes.size());
  out.fragment = {begin != 0 || more, begin == 0, !more, id, begin, begin + size};
  if (!out.fragment.is_part) return Malformed::no;
  if (size == 0 || begin + size > kMaxDatagramBytes) return Malformed::fragment;
  return more && size % 8 != 0 ? Malformed::fragment : Malformed::no;
}

/// `whole` is false for the beginning of a packet that an ICMP error quotes.
Malformed read_ip4(Bytes packet, bool whole, Payload& out) {
  if (packet.size() < kIp4Bytes || packet[0] >> 4 != 4) return Malformed::ip_header;
  const std::size_t header = (packet[0] & 0x0f) * std::size_t{4};
  const std::size_t total = read16(packet, 2);
  if (header < kIp4Bytes || header > packet.size() || total < header) return Malformed::ip_header;
  if (whole) {
    Checksum sum;
    sum.add(packet.first(header));
    if (total > packet.size() || !sum.holds()) return Malformed::ip_header;
    packet = packet.first(total);  // behind it lies only Ethernet's padding
  }
  copy_address(packet, 12, 4, out.tuple.source);
  copy_address(packet, 16, 4, out.tuple.target);
  out.hops = packet[8];
  out.tuple.protocol = packet[9];
  out.bytes = packet.subspan(header);
  const std::uint16_t place = read16(packet, 6);
  out.may_be_cut = (place & 0x4000) == 0;
  if (!whole) {
    out.fragment.is_first = (place & 0x1fff) == 0;
    return Malformed::no;
  }
  return set_fragment((place & 0x1fffU) * 8U, (place & 0x2000) != 0, read16(packet, 4), out);
}

/// Steps over IPv6's extension headers; `next` becomes what is behind them. RFC 8200 section 4.
Malformed skip_extensions(std::uint8_t& next, bool whole, Payload& out) {
  for (int i = 0; i <= kMaxExtensionHeaders; ++i) {
    const bool is_options =
        next == kRouting || next == kDestination || (next == kHopByHop && i == 0);
    if (next == kHopByHop && i > 0) return Malformed::options;
    if (!is_options && next != kFragment && next != kAuthentication) return Malformed::no;
    if (out.bytes.size() < 8) return Malformed::options;
    const std::uint8_t behind = out.bytes[0];
    if (next == kFragment) {
      const std::uint16_t place = read16(out.bytes, 2);
      const std::uint32_t id = read32(out.bytes, 4);
      out.bytes = out.bytes.subspan(8);
      next = behind;
      if (!whole) {
        out.fragment.is_first = place >> 3 == 0;
        return Malformed::no;
      }
      const Malformed fault = set_fragment(place & 0xfff8U, (place & 1) != 0, id, out);
      // Of a later piece, what follows is no header.
      if (fault != Malformed::no || !out.fragment.is_first) return fault;
      continue;
    }
    const std::size_t units = out.bytes[1];
    const std::size_t size = next == kAuthentication ? (units + 2) * 4 : (units + 1) * 8;
    if (size > out.bytes.size()) return Malformed::options;
    out.bytes = out.bytes.subspan(size);
    next = behind;
  }
  return Malformed::options;
}

Malformed read_ip6(Bytes packet, bool whole, Payload& out) {
  if (packet.size() < kIp6Bytes || packet[0] >> 4 != 6) return Malformed::ip_header;
  const std::size_t size = read16(packet, 4);
  copy_address(packet, 8, 16, out.tuple.source);
  copy_address(packet, 24, 16, out.tuple.target);
  out.tuple.is_ip6 = true;
  out.hops = packet[7];
  out.bytes = packet.subspan(kIp6Bytes);
  if (whole) {
    if (size > out.bytes.size()) return Malformed::ip_header;
    out.bytes = out.bytes.first(size);
  }
  std::uint8_t next = packet[6];
  const Malformed fault = skip_extensions(next, whole, out);
  out.tuple.protocol = next;
  return fault;
}

/// What it says of how it scales its window. Options that lie end the reading, not the packet.
void read_tcp_options(Bytes options, TcpHeader& out) {
  constexpr std::uint8_t kEnd = 0;
  constexpr std::uint8_t kNothing = 1;
  constexpr std::uint8_t kWindowScale = 3;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kNothing) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return;
    if (options[0] == kWindowScale && options[1] == 3) {
      out.window_shift = std::min(options[2], kMaxWindowShift);
      out.has_window_shift = true;
    }
    options = options.subspan(options[1]);
  }
}

Malformed read_tcp(Bytes bytes, Packet& out) {
  if (bytes.size() < kTcpBytes) return Malformed::transport;
  const std::size_t header = (bytes[12] >> 4) * std::size_t{4};
  if (header < kTcpBytes || header > bytes.size()) return Malformed::transport;
  out.tuple.source_port = read16(bytes, 0);
  out.tuple.target_port = read16(bytes, 2);
  out.tcp.sequence = read32(bytes, 4);
  out.tcp.acknowledged = read32(bytes, 8);
  out.tcp.flags = bytes[13];
  out.tcp.window = read16(bytes, 14);
  out.tcp.payload_bytes = static_cast<std::uint32_t>(bytes.size() - header);
  read_tcp_options(bytes.subspan(kTcpBytes, header - kTcpBytes), out.tcp);
  return Malformed::no;
}

Malformed read_udp(Bytes bytes, bool is_part, Packet& out) {
  if (bytes.size() < kUdpBytes) return Malformed::transport;
  const std::size_t size = read16(bytes, 4);
  if (size < kUdpBytes || (!is_part && size > bytes.size())) return Malformed::transport;
  out.tuple.source_port = read16(bytes, 0);
  out.tuple.target_port = read16(bytes, 2);
  return Malformed::no;
}

bool is_error(std::uint8_t protocol, std::uint8_t type) {
  if (protocol == kIcmp6) return type < 128;
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

void set_icmp_ports(Bytes bytes, Tuple& out) {
  std::uint8_t query = 0;
  if (is_icmp_query(out.protocol, bytes[0])) {
    out.source_port = read16(bytes, 4);
    out.target_port = bytes[0];
  } else if (query_of_reply(out.protocol, bytes[0], query)) {
    out.source_port = query;
    out.target_port = read16(bytes, 4);
  }
}

/// The packet that an ICMP error quotes: RFC 792 promises 8 bytes of what is behind its IP header.
bool read_about(Bytes quoted, bool is_ip6, Tuple& out, std::size_t& transport_at) {
  Payload payload;
  const Malformed fault =
      is_ip6 ? read_ip6(quoted, false, payload) : read_ip4(quoted, false, payload);
  const bool is_readable = payload.fragment.is_first && payload.bytes.size() >= 8;
  if (fault != Malformed::no || !is_readable) return false;
  out = payload.tuple;
  transport_at = quoted.size() - payload.bytes.size();
  if (out.protocol == kTcp || out.protocol == kUdp) {
    out.source_port = read16(payload.bytes, 0);
    out.target_port = read16(payload.bytes, 2);
  } else if (out.protocol == (is_ip6 ? kIcmp6 : kIcmp)) {
    if (is_error(out.protocol, payload.bytes[0])) return false;  // of errors nobody complains
    set_icmp_ports(payload.bytes, out);
  }
  return true;
}

Malformed read_icmp(Bytes bytes, Packet& out) {
  if (bytes.size() < kIcmpBytes) return Malformed::transport;
  out.icmp_type = bytes[0];
  out.icmp_code = bytes[1];
  out.is_icmp_error = is_error(out.tuple.protocol, out.icmp_type);
  if (out.is_icmp_error) {
    std::size_t at = 0;
    out.has_about = read_about(bytes.subspan(kIcmpBytes), out.tuple.is_ip6, out.about, at);
    out.about_transport_at = static_cast<std::uint32_t>(out.transport_at + kIcmpBytes + at);
  } else {
    set_icmp_ports(bytes, out.tuple);
  }
  return Malformed::no;
}

bool checksum_fails(const Tuple& tuple, Bytes bytes) {
  // UDP over IPv4 may go without one; over IPv6 it may not (RFC 8200 section 8.1).
  if (tuple.protocol == kUdp && !tuple.is_ip6 && read16(bytes, 6) == 0) return false;
  Checksum sum;
  if (tuple.protocol != kIcmp) add_pseudo_header(tuple, bytes.size(), sum);
  sum.add(bytes);
  return !sum.holds();
}

Malformed read_transport(Bytes bytes, Packet& out) {
  const std::uint8_t protocol = out.tuple.protocol;
  Malformed fault = Malformed::no;
  if (protocol == kTcp) {
    fault = read_tcp(bytes, out);
  } else if (protocol == kUdp) {
    fault = read_udp(bytes, out.fragment.is_part, out);
    if (fault == Malformed::no && !out.fragment.is_part) bytes = bytes.first(read16(bytes, 4));
  } else if (protocol == (out.tuple.is_ip6 ? kIcmp6 : kIcmp)) {
    fault = read_icmp(bytes, out);
  } else {
    return Malformed::no;
  }
  if (fault != Malformed::no) return out.fragment.is_part ? Malformed::fragment : fault;
  out.has_transport = true;
  if (!out.fragment.is_part) out.checksum_fails = checksum_fails(out.tuple, bytes);
  return Malformed::no;
}

}  // namespace

void add_pseudo_header(const Tuple& tuple, std::size_t size, Checksum& sum) {
  const std::size_t address = tuple.is_ip6 ? 16 : 4;
  sum.add(Bytes(tuple.source).first(address));
  sum.add(Bytes(tuple.target).first(address));
  sum.add16(tuple.protocol);
  sum.add16(static_cast<std::uint16_t>(size));
}

Malformed read_packet(std::span<const std::uint8_t> frame, Packet& out) {
  out = Packet{};
  if (frame.size() < kEtherBytes) return Malformed::frame;
  std::copy_n(frame.begin(), 6, out.target_mac.begin());
  std::copy_n(frame.begin() + 6, 6, out.source_mac.begin());
  const std::uint16_t type = read16(frame, 12);
  out.ether_type = type < kFirstEtherType ? std::uint16_t{0} : type;
  Bytes behind = frame.subspan(kEtherBytes);
  if (type < kFirstEtherType) return type > behind.size() ? Malformed::frame : Malformed::no;
  if (type == kEtherVlan) {
    if (behind.size() < 4) return Malformed::frame;
    out.is_tagged = true;
    out.vlan = read16(behind, 0) & 0x0fff;
    return Malformed::no;
  }
  if (type != kEtherIp4 && type != kEtherIp6) return Malformed::no;
  Payload payload;
  const Malformed fault = type == kEtherIp4 ? read_ip4(behind, true, payload)
                                            : read_ip6(behind, true, payload);
  if (fault != Malformed::no) return fault;
  out.is_ip = true;
  out.tuple = payload.tuple;
  out.fragment = payload.fragment;
  out.hops = payload.hops;
  out.may_be_cut = payload.may_be_cut;
  out.transport_at = static_cast<std::uint32_t>(payload.bytes.data() - frame.data());
  out.end = static_cast<std::uint32_t>(out.transport_at + payload.bytes.size());
  return payload.fragment.is_first ? read_transport(payload.bytes, out) : Malformed::no;
}

bool is_icmp_query(std::uint8_t protocol, std::uint8_t type) {
  if (protocol == kIcmp6) return type == 128;
  // RFC 792 and 950: echo, timestamp, information, address mask.
  return protocol == kIcmp && (type == 8 || type == 13 || type == 15 || type == 17);
}

bool query_of_reply(std::uint8_t protocol, std::uint8_t type, std::uint8_t& query) {
  query = protocol == kIcmp && type == 0 ? std::uint8_t{8} : static_cast<std::uint8_t>(type - 1);
  return type != 128 && is_icmp_query(protocol, query);
}

bool is_link_talk(const Packet& packet) {
  if (!packet.is_ip || packet.tuple.protocol != kIcmp6 || !packet.tuple.is_ip6) return false;
  const std::uint8_t type = packet.icmp_type;
  return packet.has_transport && ((type >= 130 && type <= 136) || type == 143);
}

}  // namespace images::firewall
