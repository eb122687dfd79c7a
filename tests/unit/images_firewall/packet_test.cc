#include "images/firewall/packet.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "tests/unit/images_firewall/frames.h"

namespace images::firewall {
namespace {

const Ip4 kTcp4{"10.0.0.1", "10.0.0.2", kTcp, 1, 0, {}};
const Ip4 kUdp4{"10.0.0.1", "10.0.0.2", kUdp, 1, 0, {}};
const Ip4 kIcmp4{"10.0.0.1", "10.0.0.2", kIcmp, 1, 0, {}};

/// Read from a heap copy of exact size, so that a sanitizer sees every byte read beyond it.
Malformed read(const Frame& frame, Packet& out) {
  const auto copy = std::make_unique<std::uint8_t[]>(frame.size());
  if (!frame.empty()) std::memcpy(copy.get(), frame.data(), frame.size());
  return read_packet({copy.get(), frame.size()}, out);
}

Packet good(const Frame& frame) {
  Packet out;
  EXPECT_EQ(read(frame, out), Malformed::no);
  return out;
}

Malformed fault(const Frame& frame) {
  Packet out;
  return read(frame, out);
}

Frame changed(Frame frame, std::size_t at, std::uint8_t byte) {
  frame.at(at) = byte;
  return frame;
}

/// Bytes of the IPv4 header changed, its checksum right again.
Frame changed_ip4(Frame frame, std::size_t at, std::uint16_t number) {
  put16(frame, 14 + at, number);
  fix_ip4_checksum(frame);
  return frame;
}

TEST(Packet, ReadsTcpWithItsOptions) {
  const Packet p = good(ether(kEtherIp4, ip4(kTcp4, tcp({1000, 80, kTcpSyn, 7, 9, 512, 3, 5}))));
  EXPECT_TRUE(p.is_ip && p.has_transport && !p.tuple.is_ip6 && !p.checksum_fails);
  EXPECT_EQ(p.tuple.source_port, 1000);
  EXPECT_EQ(p.tuple.target_port, 80);
  EXPECT_EQ(p.tuple.target[3], 2);
  EXPECT_EQ(p.tcp.sequence, 7u);
  EXPECT_EQ(p.tcp.acknowledged, 9u);
  EXPECT_EQ(p.tcp.payload_bytes, 3u);
  EXPECT_TRUE(p.tcp.has_window_shift);
  EXPECT_EQ(p.tcp.window_shift, 5);
}

TEST(Packet, ReadsBehindIpv4Options) {
  Ip4 header = kUdp4;
  header.options = {1, 1, 1, 0, 1, 1, 1, 0};
  const Packet p = good(ether(kEtherIp4, ip4(header, udp(53, 5353))));
  EXPECT_EQ(p.tuple.target_port, 5353);
}

TEST(Packet, ReadsBehindExtensionHeaders) {
  Frame payload = join(extension(60), join(extension(kUdp), udp(53, 5353)));
  Packet p = good(ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", 0, payload)));
  EXPECT_EQ(p.tuple.protocol, kUdp);
  EXPECT_EQ(p.tuple.target_port, 5353);
  EXPECT_TRUE(p.checksum_fails) << "UDP over IPv6 has no right to go without";
}

TEST(Packet, PaddingBehindThePacketDoesNotCount) {
  const Frame frame = join(ether(kEtherIp4, ip4(kUdp4, udp(1, 2, 0))), Frame(18, 0xff));
  const Packet p = good(frame);
  EXPECT_TRUE(p.has_transport && !p.checksum_fails);
}

TEST(Packet, LooksAtNothingBehindATag) {
  const Packet p = good(ether(kEtherVlan, join({0x20, 0x05, 0x08, 0x00}, ip4(kUdp4, udp(1, 2)))));
  EXPECT_TRUE(p.is_tagged && !p.is_ip);
  EXPECT_EQ(p.vlan, 5);
}

TEST(Packet, TellsWrongChecksumsButNotOfPieces) {
  Frame frame = ether(kEtherIp4, ip4(kTcp4, tcp({1, 2, kTcpAck})));
  EXPECT_TRUE(good(changed(frame, frame.size() - 1, 9)).checksum_fails);
  frame = ether(kEtherIp4, ip4(kIcmp4, icmp(8, 0, 1)));
  EXPECT_TRUE(good(changed(frame, frame.size() - 1, 9)).checksum_fails);
  frame = ether(kEtherIp4, ip4(kUdp4, udp(1, 2)));
  EXPECT_TRUE(good(changed(frame, frame.size() - 1, 9)).checksum_fails);
  put16(frame, 40, 0);
  EXPECT_FALSE(good(frame).checksum_fails) << "UDP over IPv4 may go without";
  Ip4 piece = kTcp4;
  piece.fragment = 0x2000;
  EXPECT_FALSE(good(ether(kEtherIp4, ip4(piece, tcp({1, 2, kTcpAck, 0, 0, 1, 4})))).checksum_fails);
}

TEST(Packet, ReadsWhatAnErrorComplainsOf) {
  const Frame quoted = ip4({"10.0.0.2", "10.0.0.1", kUdp, 1, 0, {}}, udp(53, 1000));
  Packet p = good(ether(kEtherIp4, ip4(kIcmp4, icmp(3, 3, 0, quoted))));
  ASSERT_TRUE(p.is_icmp_error && p.has_about);
  EXPECT_EQ(p.about.source_port, 53);
  EXPECT_EQ(p.about.target[3], 1);
  const Frame shortened(quoted.begin(), quoted.begin() + 27);
  p = good(ether(kEtherIp4, ip4(kIcmp4, icmp(3, 3, 0, shortened))));
  EXPECT_TRUE(p.is_icmp_error && !p.has_about);
  const Frame of_error = ip4(kIcmp4, icmp(3, 3, 0));
  p = good(ether(kEtherIp4, ip4(kIcmp4, icmp(3, 3, 0, of_error))));
  EXPECT_FALSE(p.has_about);
}

TEST(Packet, AnAnswersTupleIsItsQuestionsReversed) {
  const Packet question = good(ether(kEtherIp4, ip4(kIcmp4, icmp(8, 0, 77))));
  const Packet answer = good(
      ether(kEtherIp4, ip4({"10.0.0.2", "10.0.0.1", kIcmp, 1, 0, {}}, icmp(0, 0, 77))));
  EXPECT_EQ(answer.tuple, question.tuple.reversed());
  const Packet same_from_there = good(
      ether(kEtherIp4, ip4({"10.0.0.2", "10.0.0.1", kIcmp, 1, 0, {}}, icmp(8, 0, 77))));
  EXPECT_NE(same_from_there.tuple, question.tuple.reversed());
}

TEST(Packet, RefusesWhatLies) {
  const Frame good4 = ether(kEtherIp4, ip4(kTcp4, tcp({1, 2, kTcpAck})));
  const Frame udp4 = ether(kEtherIp4, ip4(kUdp4, udp(1, 2)));
  const Frame good6 = ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", kUdp, udp(1, 2)));
  Ip4 first = kTcp4;
  first.fragment = 0x2000;
  Ip4 last = kTcp4;
  last.fragment = 0x1fff;
  Frame seven;
  for (int i = 0; i < 7; ++i) seven = join(seven, extension(i < 6 ? 60 : 59));
  const struct {
    const char* what;
    Frame frame;
    Malformed fault;
  } cases[] = {
      {"nothing", {}, Malformed::frame},
      {"less than a header", Frame(13), Malformed::frame},
      {"802.3 with a length beyond its end", ether(100, Frame(99)), Malformed::frame},
      {"a tag cut short", ether(kEtherVlan, Frame(3)), Malformed::frame},
      {"IPv4 cut in its header", Frame(good4.begin(), good4.begin() + 33), Malformed::ip_header},
      {"IPv4 of version 5", changed_ip4(good4, 0, 0x5500), Malformed::ip_header},
      {"an IPv4 header of 16 bytes", changed_ip4(good4, 0, 0x4400), Malformed::ip_header},
      {"an IPv4 header longer than the packet", changed_ip4(good4, 0, 0x4f00),
       Malformed::ip_header},
      {"IPv4 longer than its frame", changed_ip4(good4, 2, 41), Malformed::ip_header},
      {"IPv4 shorter than its header", changed_ip4(good4, 2, 19), Malformed::ip_header},
      {"an IPv4 checksum that fails", changed(good4, 22, 1), Malformed::ip_header},
      {"IPv6 of version 4", changed(good6, 14, 0x40), Malformed::ip_header},
      {"IPv6 longer than its frame", changed(good6, 19, 99), Malformed::ip_header},
      {"hop-by-hop options in second place",
       ether(kEtherIp6, ip6("::1", "::2", 60, join(extension(0), extension(59)))),
       Malformed::options},
      {"options longer than the packet",
       ether(kEtherIp6, ip6("::1", "::2", 60, {59, 9, 0, 0, 0, 0, 0, 0})), Malformed::options},
      {"options cut short", ether(kEtherIp6, ip6("::1", "::2", 60, Frame(7))),
       Malformed::options},
      {"seven extension headers", ether(kEtherIp6, ip6("::1", "::2", 60, seven)),
       Malformed::options},
      {"a first piece without the whole TCP header",
       ether(kEtherIp4, ip4(first, Frame(16))), Malformed::fragment},
      {"a piece that is no multiple of 8", ether(kEtherIp4, ip4(first, Frame(33))),
       Malformed::fragment},
      {"a piece beyond 64 KiB", ether(kEtherIp4, ip4(last, Frame(16))), Malformed::fragment},
      {"a piece of nothing", ether(kEtherIp4, ip4(last, {})), Malformed::fragment},
      {"TCP cut short", ether(kEtherIp4, ip4(kTcp4, Frame(19))), Malformed::transport},
      {"a TCP header of 16 bytes", changed(good4, 46, 0x40), Malformed::transport},
      {"a TCP header longer than the packet", changed(good4, 46, 0x60), Malformed::transport},
      {"UDP cut short", ether(kEtherIp4, ip4(kUdp4, Frame(7))), Malformed::transport},
      {"UDP longer than the packet", changed(udp4, 39, 200), Malformed::transport},
      {"UDP shorter than its header", changed(udp4, 39, 7), Malformed::transport},
      {"ICMP cut short", ether(kEtherIp4, ip4(kIcmp4, Frame(7))), Malformed::transport},
  };
  for (const auto& c : cases) EXPECT_EQ(fault(c.frame), c.fault) << c.what;
}

}  // namespace
}  // namespace images::firewall
