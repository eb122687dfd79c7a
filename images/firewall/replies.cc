#include "images/firewall/replies.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::size_t kIp4Bytes = 20;
constexpr std::size_t kIp6Bytes = 40;
constexpr std::size_t kTcpBytes = 20;
constexpr std::size_t kMaxError4 = 576;   // RFC 1812 section 4.3.2.3
constexpr std::size_t kMaxError6 = 1280;  // RFC 4443 section 3
constexpr std::uint8_t kHops = 64;

void put_address(const Address& address, std::size_t size, std::size_t at, ReplyBuffer& out) {
  std::copy_n(address.begin(), size, out.begin() + static_cast<std::ptrdiff_t>(at));
}

/// Ethernet and IP headers before `size` bytes of that protocol. Returns where these begin.
std::size_t put_headers(Bytes frame, const Tuple& tuple, std::size_t size, ReplyBuffer& out) {
  std::copy_n(frame.begin() + 6, 6, out.begin());
  std::copy_n(frame.begin(), 6, out.begin() + 6);
  const std::span<std::uint8_t> ip = std::span(out).subspan(kEtherBytes);
  write16(out, 12, tuple.is_ip6 ? kEtherIp6 : kEtherIp4);
  if (tuple.is_ip6) {
    write32(ip, 0, 0x60000000);
    write16(ip, 4, static_cast<std::uint16_t>(size));
    ip[6] = tuple.protocol;
    ip[7] = kHops;
    put_address(tuple.source, 16, kEtherBytes + 8, out);
    put_address(tuple.target, 16, kEtherBytes + 24, out);
    return kEtherBytes + kIp6Bytes;
  }
  std::fill_n(ip.begin(), kIp4Bytes, std::uint8_t{0});
  ip[0] = 0x45;
  write16(ip, 2, static_cast<std::uint16_t>(kIp4Bytes + size));
  write16(ip, 6, 0x4000);  // DF; then its id may be 0 (RFC 6864 section 4.1)
  ip[8] = kHops;
  ip[9] = tuple.protocol;
  put_address(tuple.source, 4, kEtherBytes + 12, out);
  put_address(tuple.target, 4, kEtherBytes + 16, out);
  Checksum sum;
  sum.add(Bytes(ip).first(kIp4Bytes));
  write16(ip, 10, sum.field());
  return kEtherBytes + kIp4Bytes;
}

void put_checksum(const Tuple& tuple, std::size_t at, std::size_t size, std::size_t field,
                  ReplyBuffer& out) {
  Checksum sum;
  if (tuple.protocol != kIcmp) add_pseudo_header(tuple, size, sum);
  sum.add(Bytes(out).subspan(at, size));
  write16(out, at + field, sum.field());
}

bool is_one_station(const Address& address, bool is_ip6) {
  const bool is_zero = std::all_of(address.begin(), address.end(), [](auto b) { return b == 0; });
  if (is_ip6) return address[0] != 0xff && !is_zero;
  return address[0] != 0 && address[0] < 224 && address[0] != 127;
}

}  // namespace

bool may_complain_of(const Packet& packet) {
  const Tuple& tuple = packet.tuple;
  return packet.is_ip && !packet.is_icmp_error && packet.fragment.is_first &&
         !packet.checksum_fails && (packet.target_mac[0] & 1) == 0 &&
         is_one_station(tuple.source, tuple.is_ip6) && is_one_station(tuple.target, tuple.is_ip6);
}

std::size_t make_icmp_error(const Packet& packet, Bytes frame, const IcmpError& error,
                            const Address& from, ReplyBuffer& out) {
  const bool is_ip6 = packet.tuple.is_ip6;
  const Tuple tuple{from, packet.tuple.source, 0, 0, is_ip6 ? kIcmp6 : kIcmp, is_ip6};
  const std::size_t room =
      is_ip6 ? kMaxError6 - kIp6Bytes - kIcmpBytes : kMaxError4 - kIp4Bytes - kIcmpBytes;
  const Bytes quoted = frame.first(packet.end).subspan(kEtherBytes);
  const std::size_t size = kIcmpBytes + std::min(quoted.size(), room);
  const std::size_t at = put_headers(frame, tuple, size, out);
  out[at] = error.type;
  out[at + 1] = error.code;
  write16(out, at + 2, 0);
  write32(out, at + 4, error.mtu);
  std::copy_n(quoted.begin(), size - kIcmpBytes,
              out.begin() + static_cast<std::ptrdiff_t>(at + kIcmpBytes));
  put_checksum(tuple, at, size, 2, out);
  return at + size;
}

std::size_t make_tcp_reset(const Packet& packet, Bytes frame, ReplyBuffer& out) {
  const TcpHeader& tcp = packet.tcp;
  const bool is_tcp = packet.has_transport && packet.tuple.protocol == kTcp;
  if (!is_tcp || (tcp.flags & kTcpRst) != 0) return 0;
  const Tuple tuple = packet.tuple.reversed();
  const std::size_t at = put_headers(frame, tuple, kTcpBytes, out);
  const std::span<std::uint8_t> header = std::span(out).subspan(at, kTcpBytes);
  std::fill(header.begin(), header.end(), std::uint8_t{0});
  write16(header, 0, tuple.source_port);
  write16(header, 2, tuple.target_port);
  header[12] = kTcpBytes / 4 << 4;
  // RFC 9293 section 3.10.7.1: it acknowledges what a segment without ACK has sent.
  if ((tcp.flags & kTcpAck) != 0) {
    write32(header, 4, tcp.acknowledged);
    header[13] = kTcpRst;
  } else {
    const std::uint32_t flags = ((tcp.flags & kTcpSyn) != 0 ? 1U : 0U) +
                                ((tcp.flags & kTcpFin) != 0 ? 1U : 0U);
    write32(header, 8, tcp.sequence + tcp.payload_bytes + flags);
    header[13] = kTcpRst | kTcpAck;
  }
  put_checksum(tuple, at, kTcpBytes, 16, out);
  return at + kTcpBytes;
}

}  // namespace images::firewall
