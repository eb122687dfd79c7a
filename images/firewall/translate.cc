#include "images/firewall/translate.h"

#include <initializer_list>

#include "images/firewall/bytes.h"

namespace images::firewall {
namespace {

constexpr std::size_t kIpSum = 10;  // bytes from the begin of an IPv4 header
constexpr std::size_t kIpSource = 12;
constexpr std::size_t kIpTarget = 16;
constexpr std::size_t kHopsAt = 8;

/// Where the checksum of a header behind IP is, from its begin; 0: it has none that is known.
std::size_t sum_within(std::uint8_t protocol) {
  return protocol == kTcp ? 16 : protocol == kUdp ? 6 : protocol == kIcmp ? 2 : 0;
}

/// A frame, and the checksum that covers all that is changed in it; 0: none does.
class Rewriter {
 public:
  Rewriter(std::span<std::uint8_t> frame, std::size_t outer) : frame_(frame), outer_(outer) {}

  /// Writes 16 bits; the checksums at these places cover them, unless one is 0.
  void put(std::size_t at, std::uint16_t number, std::initializer_list<std::size_t> sums) {
    const std::uint16_t before = read16(frame_, at);
    write16(frame_, at, number);
    for (const std::size_t sum : sums) {
      if (sum == 0) continue;
      const std::uint16_t old = read16(frame_, sum);
      follow(sum, before, number);
      if (outer_ != 0) follow(outer_, old, read16(frame_, sum));
    }
    if (outer_ != 0) follow(outer_, before, number);
  }

  void put_address(std::size_t at, const Address& address,
                   std::initializer_list<std::size_t> sums) {
    put(at, read16(address, 0), sums);
    put(at + 2, read16(address, 2), sums);
  }

 private:
  void follow(std::size_t sum, std::uint16_t before, std::uint16_t after) {
    const std::uint16_t changed = changed_checksum(read16(frame_, sum), before, after);
    // The same number to a one's complement sum; in UDP 0 would say that there is no checksum.
    write16(frame_, sum, changed == 0 ? std::uint16_t{0xffff} : changed);
  }

  std::span<std::uint8_t> frame_;
  std::size_t outer_;
};

struct Place {
  std::size_t ip = 0;         // bytes from the frame's begin
  std::size_t transport = 0;  // 0: that header is not there
  std::size_t end = 0;
};

void rewrite(Rewriter& out, Bytes frame, const Place& at, const Tuple& to) {
  std::size_t sum = sum_within(to.protocol);
  if (at.transport == 0 || sum == 0) {
    sum = 0;
  } else {
    sum += at.transport;
    const bool is_absent = to.protocol == kUdp && read16(frame, sum) == 0;
    if (sum + 2 > at.end || is_absent) sum = 0;
  }
  const std::size_t address_sum = to.protocol == kIcmp ? 0 : sum;
  out.put_address(at.ip + kIpSource, to.source, {at.ip + kIpSum, address_sum});
  out.put_address(at.ip + kIpTarget, to.target, {at.ip + kIpSum, address_sum});
  if (at.transport == 0) return;
  if (to.protocol == kTcp || to.protocol == kUdp) {
    out.put(at.transport, to.source_port, {sum});
    out.put(at.transport + 2, to.target_port, {sum});
  } else if (to.protocol == kIcmp) {
    const bool is_query = is_icmp_query(kIcmp, frame[at.transport]);
    out.put(at.transport + 4, is_query ? to.source_port : to.target_port, {sum});
  }
}

}  // namespace

void translate(std::span<std::uint8_t> frame, const Packet& packet, const Tuple& to) {
  Rewriter out(frame, 0);
  // Of an ICMP error only the addresses: behind its first word is no identifier.
  const bool has_header = packet.has_transport && !packet.is_icmp_error;
  rewrite(out, frame, {kEtherBytes, has_header ? packet.transport_at : 0, packet.end}, to);
}

void translate_quoted(std::span<std::uint8_t> frame, const Packet& packet, const Tuple& to) {
  Rewriter out(frame, packet.transport_at + sum_within(kIcmp));
  const std::size_t ip = packet.transport_at + kIcmpBytes;
  rewrite(out, frame, {ip, packet.about_transport_at, packet.end}, to);
}

void use_hop(std::span<std::uint8_t> frame, const Packet& packet) {
  if (packet.tuple.is_ip6) {
    --frame[kEtherBytes + 7];
    return;
  }
  const std::size_t at = kEtherBytes + kHopsAt;  // of the word of TTL and protocol
  Rewriter out(frame, 0);
  out.put(at, static_cast<std::uint16_t>(read16(frame, at) - 0x100), {kEtherBytes + kIpSum});
}

}  // namespace images::firewall
