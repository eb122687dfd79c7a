// Flows through the whole engine: what is new, established, related and invalid.
#include <gtest/gtest.h>

#include "tests/unit/images_firewall/world.h"

namespace images::firewall {
namespace {

constexpr char kRules[] =
    "chain forward {\n"
    "  ct state invalid drop\n"
    "  ct state established,related accept\n"
    "  iif lan ct state new accept\n"
    "}\n";

constexpr std::uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr std::uint8_t kFinAck = kTcpFin | kTcpAck;

Frame lan_tcp(Tcp header, std::uint16_t port = 1000) {
  header.from = port;
  header.to = 80;
  return ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kTcp, 1, 0, {}}, tcp(header)));
}
Frame wan_tcp(Tcp header, std::uint16_t port = 1000) {
  header.from = 80;
  header.to = port;
  return ether(kEtherIp4, ip4({"192.0.2.7", "10.0.0.1", kTcp, 1, 0, {}}, tcp(header)));
}
Tcp segment(std::uint8_t flags, std::uint32_t sequence, std::uint32_t acknowledged,
            std::size_t data = 0) {
  return {0, 0, flags, sequence, acknowledged, 1000, data, -1};
}
Frame lan_udp(std::uint16_t port) {
  return ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kUdp, 1, 0, {}}, udp(port, 53)));
}
Frame wan_udp(std::uint16_t port) {
  return ether(kEtherIp4, ip4({"192.0.2.7", "10.0.0.1", kUdp, 1, 0, {}}, udp(53, port)));
}

// A connection whose next bytes are 101 and 501.
void connect(World& world, std::uint16_t port = 1000) {
  ASSERT_TRUE(world.lan(lan_tcp(segment(kTcpSyn, 100, 0), port)));
  ASSERT_TRUE(world.wan(wan_tcp(segment(kSynAck, 500, 101), port)));
  ASSERT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 101, 501), port)));
}

TEST(Flows, AConnectionGoesBothWaysAndNothingElseComesIn) {
  World world(kRules);
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpSyn, 1, 0)))) << "nobody opens from outside";
  EXPECT_FALSE(world.wan(wan_tcp(segment(kSynAck, 1, 101)))) << "an answer to nothing";
  connect(world);
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpAck, 501, 101, 900))));
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 101, 1401, 900))));
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpAck, 501, 101), 1001))) << "another port";
  EXPECT_EQ(world.firewall.flows().size(), 1u);
}

TEST(Flows, SegmentsOutsideOfTheWindowAreInvalid) {
  World world(kRules);
  connect(world);
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpAck, 501 + 1001, 101)))) << "beyond what fits";
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpAck, 501 + 1000, 101)))) << "its very end";
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpAck, 501, 102)))) << "acknowledges what was not sent";
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpRst, 9999, 0)))) << "a blind reset";
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpAck, 501 - 2000, 101)))) << "long gone";
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 101, 501)))) << "none of them did harm";
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpRst, 501, 0))));
}

TEST(Flows, SequenceNumbersWrap) {
  World world(kRules);
  ASSERT_TRUE(world.lan(lan_tcp(segment(kTcpSyn, 0xfffffffe, 0))));
  ASSERT_TRUE(world.wan(wan_tcp(segment(kSynAck, 0xffffffff, 0xffffffff))));
  ASSERT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 0xffffffff, 0))));
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 0xffffffff, 0, 500))));
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpAck, 0, 499, 500))));
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpAck, 0, 500))));
}

TEST(Flows, ScaledWindowsCountOnlyIfBothOffer) {
  for (const bool both : {true, false}) {
    World world(kRules);
    Tcp syn = segment(kTcpSyn, 100, 0);
    syn.window_shift = 7;
    Tcp syn_ack = segment(kSynAck, 500, 101);
    if (both) syn_ack.window_shift = 0;
    ASSERT_TRUE(world.lan(lan_tcp(syn)));
    ASSERT_TRUE(world.wan(wan_tcp(syn_ack)));
    ASSERT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 101, 501))));
    EXPECT_EQ(world.wan(wan_tcp(segment(kTcpAck, 501 + 128'000, 101))), both);
  }
}

TEST(Flows, FlagsThatNoTcpSendsAreInvalid) {
  for (const int flags : {0, 0 + kTcpFin, kTcpSyn | kTcpFin, kTcpSyn | kTcpRst, kTcpRst | kTcpFin,
                          kTcpFin | kTcpUrg | kTcpPsh, 0xff}) {
    World world("chain forward {\n ct state != invalid accept\n}\n");
    EXPECT_FALSE(world.lan(lan_tcp(segment(static_cast<std::uint8_t>(flags), 100, 0)))) << flags;
  }
}

TEST(Flows, WhenBothSidesHaveEndedANewConnectionMayComeAtOnce) {
  World world(kRules);
  connect(world);
  EXPECT_TRUE(world.lan(lan_tcp(segment(kFinAck, 101, 501))));
  EXPECT_TRUE(world.wan(wan_tcp(segment(kFinAck, 501, 102))));
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 102, 502))));
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpSyn, 90'000'000, 0)))) << "the same ports again";
  EXPECT_TRUE(world.wan(wan_tcp(segment(kSynAck, 7, 90'000'001))));
  EXPECT_EQ(world.firewall.flows().size(), 1u);
}

TEST(Flows, AHostThatForgotItsConnectionIsToldSo) {
  World world(kRules);
  connect(world);
  // RFC 5961: the other side answers a strange SYN with an ACK, whereupon it is reset.
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpSyn, 77'000'000, 0))));
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpAck, 501, 101))));
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpRst, 101, 0))));
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpSyn, 78'000'000, 0))));
}

TEST(Flows, ConnectionsFromBeforeAreAdoptedForAWhileOnly) {
  World adopting(kRules, 64, 5000);
  EXPECT_FALSE(adopting.wan(wan_tcp(segment(kTcpAck, 501, 101)))) << "never from outside";
  EXPECT_TRUE(adopting.lan(lan_tcp(segment(kTcpAck, 101, 501))));
  EXPECT_TRUE(adopting.wan(wan_tcp(segment(kTcpAck, 501, 101))));
  adopting.now_ms = 5000;
  EXPECT_TRUE(adopting.wan(wan_tcp(segment(kTcpAck, 501, 101))));
  EXPECT_FALSE(adopting.lan(lan_tcp(segment(kTcpAck, 101, 501), 1001)));
}

TEST(Flows, UdpIsEstablishedOnceAnswered) {
  World world(
      "chain forward {\n iif lan ct state new accept\n iif lan ct state established drop\n"
      " iif wan ct state established accept\n}\n");
  EXPECT_FALSE(world.wan(wan_udp(1000)));
  EXPECT_TRUE(world.lan(lan_udp(1000)));
  EXPECT_TRUE(world.lan(lan_udp(1000))) << "still new: nobody has answered";
  EXPECT_TRUE(world.wan(wan_udp(1000)));
  EXPECT_FALSE(world.lan(lan_udp(1000))) << "established now";
}

TEST(Flows, WhatIsDroppedLeavesNoTrace) {
  World world("chain forward {\n iif wan accept\n}\n");
  EXPECT_FALSE(world.lan(lan_udp(1000)));
  EXPECT_EQ(world.firewall.flows().size(), 0u);
  EXPECT_EQ(world.firewall.flows().counts().opened, 0u);
}

TEST(Flows, SilenceEndsThem) {
  World world(kRules);
  ASSERT_TRUE(world.lan(lan_udp(1000)));
  world.now_ms += timeout_ms(Phase::udp_one_way) + 1;
  EXPECT_FALSE(world.wan(wan_udp(1000)));
  EXPECT_EQ(world.firewall.flows().size(), 0u);
  EXPECT_EQ(world.firewall.flows().counts().expired, 1u);
  connect(world);
  world.now_ms += timeout_ms(Phase::tcp_opening) + 1;
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpAck, 501, 101)))) << "an open one lives longer";
  world.now_ms += timeout_ms(Phase::tcp_established) + 1;
  EXPECT_FALSE(world.wan(wan_tcp(segment(kTcpAck, 501, 101))));
}

TEST(Flows, PingsAnswerComesBackAndNoOther) {
  World world(kRules);
  const auto from_wan = [](std::uint8_t type, std::uint16_t id) {
    return ether(kEtherIp4, ip4({"192.0.2.7", "10.0.0.1", kIcmp, 1, 0, {}}, icmp(type, 0, id)));
  };
  EXPECT_FALSE(world.wan(from_wan(0, 5)));
  EXPECT_TRUE(world.lan(
      ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kIcmp, 1, 0, {}}, icmp(8, 0, 5)))));
  EXPECT_TRUE(world.wan(from_wan(0, 5)));
  EXPECT_FALSE(world.wan(from_wan(0, 6)));
  EXPECT_FALSE(world.wan(from_wan(8, 5))) << "a question of the other's own";
  EXPECT_FALSE(world.wan(from_wan(14, 5))) << "the answer to another question";
}

TEST(Flows, ErrorsAreRelatedToWhatTheyQuote) {
  World world(kRules);
  ASSERT_TRUE(world.lan(lan_udp(1000)));
  const auto error = [](const std::string& target, std::uint16_t port) {
    const Frame quoted = ip4({"10.0.0.1", "192.0.2.7", kUdp, 1, 0, {}}, udp(port, 53));
    return ether(kEtherIp4, ip4({"198.51.100.1", target, kIcmp, 1, 0, {}}, icmp(3, 1, 0, quoted)));
  };
  EXPECT_TRUE(world.wan(error("10.0.0.1", 1000))) << "from a router on the way";
  EXPECT_FALSE(world.wan(error("10.0.0.1", 1001))) << "quotes nothing that was sent";
  EXPECT_FALSE(world.wan(error("10.0.0.9", 1000))) << "to another than who sent";
  EXPECT_FALSE(world.wan(wan_udp(1001)));
}

TEST(Flows, ErrorsOfIpv6AreRelatedToo) {
  World world(kRules);
  const Frame asked = ip6("2001:db8::1", "2001:db8:7::7", kUdp, udp(1000, 53));
  ASSERT_TRUE(world.lan(ether(kEtherIp6, asked)));
  Frame body(4);
  const Frame too_big = ip6("2001:db8:9::9", "2001:db8::1", kIcmp6, icmp(2, 0, 0, asked));
  EXPECT_TRUE(world.wan(ether(kEtherIp6, too_big)));
}

TEST(Flows, AFloodOfSynsCostsOnlyNewOnes) {
  World world(
      "chain forward {\n ct state established accept\n ct state new accept\n}\n", 32);
  connect(world);
  ASSERT_TRUE(world.lan(lan_udp(1000)));
  ASSERT_TRUE(world.wan(wan_udp(1000)));
  for (std::uint16_t port = 2000; port < 4000; ++port) {
    ++world.now_ms;
    ASSERT_TRUE(world.wan(wan_tcp(segment(kTcpSyn, 1, 0), port)));
  }
  EXPECT_EQ(world.firewall.flows().size(), 32u);
  EXPECT_EQ(world.firewall.flows().counts().forgotten, 2000u - 30u);
  EXPECT_TRUE(world.wan(wan_tcp(segment(kTcpAck, 501, 101)))) << "established TCP";
  EXPECT_TRUE(world.wan(wan_udp(1000))) << "answered UDP";
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpSyn, 1, 0), 5000))) << "and there is room for more";
}

TEST(Flows, ATableFullOfEstablishedOnesRefusesNewOnes) {
  World world(kRules, 4);
  for (std::uint16_t port = 1; port <= 4; ++port) connect(world, port);
  EXPECT_EQ(world.from_lan(lan_tcp(segment(kTcpSyn, 1, 0), 9)).reason, Reason::full);
  EXPECT_EQ(world.firewall.flows().counts().refused, 1u);
  EXPECT_TRUE(world.lan(lan_tcp(segment(kTcpAck, 101, 501), 1)));
}

TEST(Flows, WrongChecksumsAreInvalid) {
  World world(kRules);
  Frame frame = lan_udp(1000);
  frame.back() = static_cast<std::uint8_t>(frame.back() + 1);
  EXPECT_FALSE(world.lan(frame));
}

}  // namespace
}  // namespace images::firewall
