// What a bridge does beside its rules: a connection in pieces, stations, reserved addresses.
#include <gtest/gtest.h>

#include "tests/unit/images_firewall/world.h"

namespace images::firewall {
namespace {

const Ip4 kBig{"10.0.0.1", "192.0.2.7", kUdp, 77, 0, {}};
constexpr char kDns[] = "chain forward {\n udp dport 53 accept\n}\n";

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
