// What rejected senders are told.
#include <gtest/gtest.h>

#include "tests/unit/images_firewall/router_world.h"

namespace images::firewall {
namespace {

struct Told {
  bool is_told = false;
  Packet packet;
};

/// What a bridge says to the sender of a packet that these rules judge.
Told told(const std::string& rule, const Frame& frame) {
  World world("chain forward {\n" + rule + "\n}\n");
  const Outcome outcome = world.from_lan(frame);
  Told out;
  if (outcome.reason != Reason::rule_rejects) return out;
  ReplyBuffer reply;
  const std::size_t size =
      world.firewall.refuse(outcome.rejection, frame, nullptr, world.now_ms, reply);
  if (size == 0) return out;
  EXPECT_EQ(read_packet(Bytes(reply).first(size), out.packet), Malformed::no);
  EXPECT_FALSE(out.packet.checksum_fails);
  out.is_told = true;
  return out;
}

Frame tcp4(const Tcp& header) {
  return ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kTcp, 1, 0, {}}, tcp(header)));
}
Frame tcp6(const Tcp& header) {
  return ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", kTcp, tcp(header)));
}
const Frame kAsked = ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kUdp, 1, 0, {}}, udp(9, 53)));

TEST(Reject, AResetTakesTheReceiversPlace) {
  const Tcp opening{1000, 80, kTcpSyn, 100, 0};
  for (const Frame& frame : {tcp4(opening), tcp6(opening)}) {
    const Told reset = told("reject with tcp reset", frame);
    ASSERT_TRUE(reset.is_told);
    EXPECT_EQ(reset.packet.tcp.flags, kTcpRst | kTcpAck);
    EXPECT_EQ(reset.packet.tcp.acknowledged, 101u);
    EXPECT_EQ(reset.packet.tuple.source_port, 80);
    EXPECT_EQ(reset.packet.tuple.target_port, 1000);
    EXPECT_EQ(reset.packet.target_mac[5], 1) << "back to its station";
  }
  const Told reset = told("reject with tcp reset", tcp4({1000, 80, kTcpAck, 100, 7777}));
  ASSERT_TRUE(reset.is_told);
  EXPECT_EQ(reset.packet.tcp.flags, kTcpRst);
  EXPECT_EQ(reset.packet.tcp.sequence, 7777u);
  EXPECT_FALSE(told("reject with tcp reset", tcp4({1000, 80, kTcpRst, 100, 0})).is_told);
  EXPECT_FALSE(told("reject with tcp reset", kAsked).is_told) << "no TCP: the rule does not match";
}

TEST(Reject, AnErrorSaysWhatTheRuleSays) {
  const struct {
    const char* rule;
    std::uint8_t code;
    std::uint8_t code6;
  } cases[] = {
      {"reject", 3, 4},
      {"reject with icmpx type admin-prohibited", 13, 1},
      {"reject with icmpx no-route", 0, 0},
      {"reject with icmp type host-unreachable", 1, 255},
      {"reject with icmp admin-prohibited", 13, 255},
      {"reject with icmpv6 type addr-unreachable", 255, 3},
  };
  for (const auto& one : cases) {
    const Told four = told(one.rule, kAsked);
    EXPECT_EQ(four.is_told, one.code != 255) << one.rule;
    if (four.is_told) {
      EXPECT_EQ(four.packet.icmp_type, 3);
      EXPECT_EQ(four.packet.icmp_code, one.code) << one.rule;
      EXPECT_EQ(four.packet.about.target_port, 53);
    }
    const Told six = told(one.rule, tcp6({1000, 80, kTcpSyn, 100, 0}));
    EXPECT_EQ(six.is_told, one.code6 != 255) << one.rule;
    if (six.is_told) {
      EXPECT_EQ(six.packet.icmp_type, 1);
      EXPECT_EQ(six.packet.icmp_code, one.code6) << one.rule;
    }
  }
}

TEST(Reject, NobodyIsToldOfWhatMayNotBeComplainedOf) {
  Frame broken = kAsked;
  broken.back() ^= 1;
  EXPECT_FALSE(told("reject", broken).is_told) << "a wrong checksum";
  Frame group = kAsked;
  group[0] |= 1;
  EXPECT_FALSE(told("reject", group).is_told) << "to a group";
  const Frame quoted = ip4({"192.0.2.7", "10.0.0.1", kUdp, 1, 0, {}}, udp(53, 9));
  EXPECT_FALSE(told("reject", ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kIcmp, 1, 0, {}},
                                                   icmp(3, 1, 0, quoted)))).is_told)
      << "an error";
  EXPECT_FALSE(told("reject", ether(kEtherArp, Frame(28))).is_told);
  EXPECT_FALSE(told("reject", ether(kEtherIp4, ip4({"10.0.0.1", "224.0.0.5", kUdp, 1, 0, {}},
                                                   udp(9, 53)))).is_told);
}

TEST(Reject, AnErrorIsNoLongerThanItsFamilyAllows) {
  const Frame big = ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kUdp, 1, 0, {}},
                                         udp(9, 53, 1400)));
  EXPECT_EQ(told("reject", big).packet.end, 14u + 576);
  const Frame big6 = ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", kUdp, udp(9, 53, 1400)));
  EXPECT_EQ(told("reject", big6).packet.end, 14u + 1280);
}

TEST(Reject, ARouterSpeaksForItself) {
  RouterWorld world("chain input {\n reject\n}\nchain forward {\n reject\n}\n");
  const Frame asked = ip4({"10.0.0.5", "192.0.2.7", kUdp, 1, 0, {}}, udp(9, 53));
  EXPECT_EQ(world.lan(asked), Reason::rule_rejects);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kLan);
  EXPECT_EQ(world.sent[0].packet.tuple.source, address4("10.0.0.1"));
  EXPECT_EQ(world.firewall.flows().size(), 0u);
  const Frame own = ip4({"10.0.0.5", "10.0.0.1", kUdp, 1, 0, {}}, udp(9, 53));
  EXPECT_EQ(world.lan(own), Reason::rule_rejects);
  EXPECT_EQ(world.sent.size(), 1u);
}

}  // namespace
}  // namespace images::firewall
