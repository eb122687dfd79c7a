// What a bridge does beside its rules: pieces of datagrams, stations, reserved addresses.
#include <gtest/gtest.h>

#include "tests/unit/images_firewall/world.h"

namespace images::firewall {
namespace {

const Ip4 kBig{"10.0.0.1", "192.0.2.7", kUdp, 77, 0, {}};
constexpr char kDns[] = "chain forward {\n udp dport 53 accept\n}\n";

TEST(Bridge, PiecesFollowTheirFirst) {
  World world(kDns);
  const auto wanted = pieces4(kBig, udp(1000, 53, 3000), 1480);
  ASSERT_EQ(wanted.size(), 3u);
  for (const Frame& piece : wanted) EXPECT_TRUE(world.lan(piece));
  EXPECT_FALSE(world.lan(wanted[1])) << "the datagram is whole";
  for (const Frame& piece : pieces4(kBig, udp(1000, 54, 3000), 1480)) {
    EXPECT_FALSE(world.lan(piece)) << "no piece of one that no rule accepts";
  }
}

TEST(Bridge, APieceBeforeItsFirstIsDropped) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  EXPECT_EQ(world.from_lan(pieces[1]).reason, Reason::fragment);
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_TRUE(world.lan(pieces[1]));
}

TEST(Bridge, PiecesThatOverlapAreDropped) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  Ip4 over = kBig;
  over.fragment = 0x2000 | 1;  // at byte 8: over what the first brought
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_EQ(world.from_lan(ether(kEtherIp4, ip4(over, Frame(800)))).reason, Reason::fragment);
  EXPECT_TRUE(world.lan(pieces[1]));
  EXPECT_FALSE(world.lan(pieces[1])) << "again is an overlap, too";
}

TEST(Bridge, PiecesAreTheirSendersAlone) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_FALSE(world.wan(turned(pieces[1]))) << "from the other side";
  Ip4 other = kBig;
  other.id = 78;
  EXPECT_FALSE(world.lan(pieces4(other, udp(1000, 53, 3000), 1480)[1]));
  world.now_ms += 30'001;
  EXPECT_FALSE(world.lan(pieces[1])) << "too late";
}

TEST(Bridge, PiecesOfIpv6FollowToo) {
  World world(kDns);
  const Frame whole = udp(1000, 53, 2000);
  const auto piece = [&](std::size_t from, std::size_t to, bool more) {
    const auto begin = whole.begin();
    const Frame part(begin + static_cast<std::ptrdiff_t>(from),
                     begin + static_cast<std::ptrdiff_t>(to));
    return ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", 44,
                                join(fragment6(kUdp, static_cast<std::uint16_t>(from), more, 9),
                                     part)));
  };
  EXPECT_FALSE(world.lan(piece(1000, 2008, false)));
  EXPECT_TRUE(world.lan(piece(0, 1000, true)));
  EXPECT_TRUE(world.lan(piece(1000, 2008, false)));
}

TEST(Bridge, AConnectionInPiecesIsNotCountedToDeath) {
  World world("chain forward {\n ct state invalid drop\n accept\n}\n");
  const Ip4 there{"10.0.0.1", "192.0.2.7", kTcp, 5, 0, {}};
  const Ip4 back{"192.0.2.7", "10.0.0.1", kTcp, 5, 0, {}};
  const auto lan = [&](const Tcp& t) { return world.lan(ether(kEtherIp4, ip4(there, tcp(t)))); };
  const auto wan = [&](const Tcp& t) { return world.wan(ether(kEtherIp4, ip4(back, tcp(t)))); };
  EXPECT_TRUE(lan({1000, 80, kTcpSyn, 100, 0, 60000}));
  EXPECT_TRUE(wan({80, 1000, kTcpSyn | kTcpAck, 500, 101, 60000}));
  EXPECT_TRUE(lan({1000, 80, kTcpAck, 101, 501, 60000}));
  for (const Frame& piece : pieces4(there, tcp({1000, 80, kTcpAck, 101, 501, 60000, 4000}), 1480)) {
    EXPECT_TRUE(world.lan(piece));
  }
  EXPECT_TRUE(wan({80, 1000, kTcpAck, 501, 4101, 60000})) << "acknowledges all of the pieces";
}

TEST(Bridge, FramesStayOnTheSideWhereTheirReceiverLives) {
  World world("chain forward {\n accept\n}\n");
  const Frame arp(28);
  EXPECT_TRUE(world.lan(ether(kEtherArp, arp, 1, 9)));
  EXPECT_TRUE(world.lan(ether(kEtherArp, arp, 2, 9)));
  EXPECT_EQ(world.from_lan(ether(kEtherArp, arp, 2, 1)).reason, Reason::at_home);
  world.now_ms += 300'001;
  EXPECT_TRUE(world.lan(ether(kEtherArp, arp, 2, 1))) << "it may have moved";
}

TEST(Bridge, DroppedFramesMoveNobody) {
  World world("chain forward {\n iif lan accept\n}\n");
  const Frame arp(28);
  EXPECT_TRUE(world.lan(ether(kEtherArp, arp, 1, 9)));
  EXPECT_FALSE(world.wan(turned(ether(kEtherArp, arp, 9, 2)))) << "9 on the outside, says somebody";
  EXPECT_TRUE(world.lan(ether(kEtherArp, arp, 1, 9)));
  EXPECT_FALSE(world.wan(turned(ether(kEtherArp, arp, 1, 2)))) << "or 1";
  EXPECT_EQ(world.from_lan(ether(kEtherArp, arp, 2, 1)).reason, Reason::at_home);
}

TEST(Bridge, WhatBridgesSayToEachOtherStays) {
  World world("chain forward {\n accept\n}\n");
  Frame frame = ether(kEtherArp, Frame(28));
  const Frame spanning_tree{0x01, 0x80, 0xc2, 0, 0, 0};
  std::copy(spanning_tree.begin(), spanning_tree.end(), frame.begin());
  EXPECT_EQ(world.from_lan(frame).reason, Reason::reserved);
  frame[5] = 0x10;
  EXPECT_TRUE(world.lan(frame));
}

TEST(Bridge, AGroupIsNobodysAddress) {
  World world("chain forward {\n accept\n}\n");
  Frame frame = ether(kEtherArp, Frame(28));
  frame[6] = 0xff;
  EXPECT_EQ(world.from_lan(frame).reason, Reason::malformed);
}

TEST(Bridge, CountsWhatBecameOfFrames) {
  World world(kDns);
  world.lan(ether(kEtherIp4, ip4(kBig, udp(1, 53))));
  world.lan(ether(kEtherIp4, ip4(kBig, udp(1, 54))));
  world.lan(Frame(3));
  const auto& counts = world.firewall.counts();
  EXPECT_EQ(counts[static_cast<std::size_t>(Reason::rule_accepts)], 1u);
  EXPECT_EQ(counts[static_cast<std::size_t>(Reason::policy)], 1u);
  EXPECT_EQ(counts[static_cast<std::size_t>(Reason::malformed)], 1u);
  EXPECT_EQ(name_of(Reason::malformed), "malformed");
}

}  // namespace
}  // namespace images::firewall
