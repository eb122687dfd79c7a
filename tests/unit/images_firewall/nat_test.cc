// Address translation by the router: who is seen outside, who is reached from there, and what
// becomes of errors, pieces, and a range of ports that is used up.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/images_firewall/router_world.h"

namespace images::firewall {
namespace {

constexpr char kHome[] =
    "chain prerouting {\n"
    "  iif wan tcp dport 8080 dnat to 10.0.0.80:80\n"
    "  ip daddr 192.0.2.1 tcp dport 8081 dnat to 10.0.0.80:80\n"
    "}\n"
    "chain postrouting {\n"
    "  oif wan masquerade\n"
    "  oif lan ip saddr 10.0.0.0/24 masquerade\n"
    "}\n"
    "chain forward {\n"
    "  ct state invalid drop\n"
    "  ct state established,related accept\n"
    "  iif lan accept\n"
    "  iif wan ip daddr 10.0.0.80 tcp dport 80 accept\n"
    "}\n";
constexpr char kInside[] = "10.0.0.5";
constexpr char kOutside[] = "198.51.100.7";
constexpr char kOurs[] = "192.0.2.1";

Frame udp4(const char* from, std::uint16_t port, const char* to, std::uint16_t to_port,
           std::size_t size = 4) {
  return ip4({from, to, kUdp, 7, 0, {}}, udp(port, to_port, size));
}
Frame tcp4(const char* from, const char* to, const Tcp& header) {
  return ip4({from, to, kTcp, 7, 0, {}}, tcp(header));
}

TEST(Nat, MasqueradesAndBringsAnswersBack) {
  RouterWorld world(kHome);
  EXPECT_EQ(world.lan(udp4(kInside, 1000, kOutside, 53)), Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  const Tuple out = world.sent[0].packet.tuple;
  EXPECT_EQ(out.source, address4(kOurs));
  EXPECT_EQ(out.target, address4(kOutside));
  EXPECT_EQ(out.target_port, 53);
  EXPECT_GE(out.source_port, 1024);
  EXPECT_EQ(world.wan(udp4(kOutside, 53, kOurs, out.source_port)), Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kLan);
  EXPECT_EQ(world.sent[0].packet.tuple.target, address4(kInside));
  EXPECT_EQ(world.sent[0].packet.tuple.target_port, 1000);
  EXPECT_EQ(world.sent[0].packet.tuple.source, address4(kOutside));
  EXPECT_EQ(world.wan(udp4("198.51.100.8", 53, kOurs, out.source_port)), Reason::policy)
      << "another one";
  world.lan(udp4(kInside, 1000, kOutside, 53));
  EXPECT_EQ(world.sent[0].packet.tuple, out) << "a flow keeps its port";
}

TEST(Nat, PortsAreOfNoOrderAndEachIsOneFlows) {
  RouterWorld world(kHome);
  std::set<std::uint16_t> ports;
  bool is_in_order = true;
  std::uint16_t last = 0;
  for (std::uint16_t i = 0; i < 20; ++i) {
    world.lan(udp4(kInside, static_cast<std::uint16_t>(1000 + i), kOutside, 53));
    const std::uint16_t port = world.sent.at(0).packet.tuple.source_port;
    is_in_order = is_in_order && port > last;
    last = port;
    ports.insert(port);
  }
  EXPECT_EQ(ports.size(), 20u);
  EXPECT_FALSE(is_in_order);
}

TEST(Nat, AnUdpDatagramWithoutAChecksumKeepsNone) {
  RouterWorld world(kHome);
  Frame packet = udp4(kInside, 1000, kOutside, 53);
  put16(packet, 26, 0);
  EXPECT_EQ(world.lan(packet), Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(read16(world.sent[0].frame, 14 + 26), 0);
}

TEST(Nat, FollowsTcpBothWays) {
  RouterWorld world(kHome);
  const auto to = [&](std::uint8_t flags, std::uint32_t sequence, std::uint32_t ack) {
    return world.lan(tcp4(kInside, kOutside, {1000, 80, flags, sequence, ack}));
  };
  EXPECT_EQ(to(kTcpSyn, 100, 0), Reason::rule_accepts);
  const std::uint16_t port = world.sent.at(0).packet.tuple.source_port;
  EXPECT_EQ(world.wan(tcp4(kOutside, kOurs, {80, port, kTcpSyn | kTcpAck, 500, 101})),
            Reason::rule_accepts);
  EXPECT_EQ(world.sent.at(0).packet.tuple.target_port, 1000);
  EXPECT_EQ(to(kTcpAck, 101, 501), Reason::rule_accepts);
  EXPECT_EQ(world.sent.at(0).packet.tuple.source_port, port);
  EXPECT_EQ(world.wan(tcp4(kOutside, kOurs, {80, port, kTcpAck, 90'000'000, 101})),
            Reason::policy)
      << "far beyond the window: of no flow, so for the router itself";
}

TEST(Nat, ForwardsAPortAndAnswersAsItself) {
  RouterWorld world(kHome);
  EXPECT_EQ(world.wan(tcp4(kOutside, kOurs, {1000, 8080, kTcpSyn, 100, 0})),
            Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kLan);
  EXPECT_EQ(world.sent[0].packet.tuple.target, address4("10.0.0.80"));
  EXPECT_EQ(world.sent[0].packet.tuple.target_port, 80);
  EXPECT_EQ(world.sent[0].packet.tuple.source, address4(kOutside));
  EXPECT_EQ(world.lan(tcp4("10.0.0.80", kOutside, {80, 1000, kTcpSyn | kTcpAck, 500, 101})),
            Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.tuple.source, address4(kOurs));
  EXPECT_EQ(world.sent[0].packet.tuple.source_port, 8080);
  EXPECT_EQ(world.wan(tcp4(kOutside, kOurs, {1000, 8082, kTcpSyn, 100, 0})), Reason::policy);
}

TEST(Nat, ReachesAForwardedPortFromInsideToo) {
  RouterWorld world(kHome);
  EXPECT_EQ(world.lan(tcp4(kInside, kOurs, {1000, 8081, kTcpSyn, 100, 0})), Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kLan);
  const Tuple out = world.sent[0].packet.tuple;
  EXPECT_EQ(out.source, address4("10.0.0.1"));
  EXPECT_EQ(out.target, address4("10.0.0.80"));
  EXPECT_EQ(world.lan(tcp4("10.0.0.80", "10.0.0.1",
                           {80, out.source_port, kTcpSyn | kTcpAck, 500, 101})),
            Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.tuple.source, address4(kOurs));
  EXPECT_EQ(world.sent[0].packet.tuple.source_port, 8081);
  EXPECT_EQ(world.sent[0].packet.tuple.target, address4(kInside));
}

TEST(Nat, TranslatesPings) {
  RouterWorld world(kHome);
  EXPECT_EQ(world.lan(ip4({kInside, kOutside, kIcmp, 1, 0, {}}, icmp(8, 0, 77, Frame(9)))),
            Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  const std::uint16_t id = world.sent[0].packet.tuple.source_port;
  EXPECT_EQ(world.wan(ip4({kOutside, kOurs, kIcmp, 1, 0, {}}, icmp(0, 0, id, Frame(9)))),
            Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.tuple.target, address4(kInside));
  EXPECT_EQ(read16(world.sent[0].frame, 14 + 24), 77);
}

TEST(Nat, TranslatesErrorsAndWhatTheyQuote) {
  RouterWorld world(kHome);
  for (const std::uint8_t protocol : {kUdp, kTcp, kIcmp}) {
    const Frame payload = protocol == kUdp   ? udp(1000, 53)
                          : protocol == kTcp ? tcp({1000, 80, kTcpSyn, 100, 0})
                                             : icmp(8, 0, 77);
    const Frame asked = ip4({kInside, kOutside, protocol, 7, 0, {}}, payload);
    EXPECT_EQ(world.lan(asked), Reason::rule_accepts);
    ASSERT_EQ(world.sent.size(), 1u);
    const Frame quoted(world.sent[0].frame.begin() + 14, world.sent[0].frame.end());
    const Ip4 from_router{"203.0.113.1", kOurs, kIcmp, 1, 0, {}};
    EXPECT_EQ(world.wan(ip4(from_router, icmp(11, 0, 0, quoted))), Reason::rule_accepts);
    ASSERT_EQ(world.sent.size(), 1u);
    EXPECT_EQ(world.sent[0].port, kLan);
    EXPECT_EQ(world.sent[0].packet.tuple.target, address4(kInside));
    EXPECT_EQ(world.sent[0].packet.tuple.source, address4("203.0.113.1"));
    Frame back(world.sent[0].frame.begin() + 42, world.sent[0].frame.end());
    Frame original = asked;
    original[8] = 63;  // it had gone one hop
    Frame framed = ether(kEtherIp4, original);
    fix_ip4_checksum(framed);
    EXPECT_EQ(back, Frame(framed.begin() + 14, framed.end()))
        << "protocol " << int{protocol} << ": all of what was sent, checksums too";
  }
}

TEST(Nat, HidesWhoComplainsInside) {
  RouterWorld world(kHome);
  world.wan(tcp4(kOutside, kOurs, {1000, 8080, kTcpSyn, 100, 0}));
  ASSERT_EQ(world.sent.size(), 1u);
  const Frame quoted(world.sent[0].frame.begin() + 14, world.sent[0].frame.end());
  EXPECT_EQ(world.lan(ip4({"10.0.0.80", kOutside, kIcmp, 1, 0, {}}, icmp(3, 3, 0, quoted))),
            Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kWan);
  EXPECT_EQ(world.sent[0].packet.tuple.source, address4(kOurs));
  EXPECT_EQ(world.sent[0].packet.about.target, address4(kOurs));
  EXPECT_EQ(world.sent[0].packet.about.target_port, 8080);
}

TEST(Nat, PiecesGoTheWayOfTheirFirst) {
  RouterWorld world(kHome);
  const Ip4 header{kInside, kOutside, kUdp, 77, 0, {}};
  std::vector<Frame> pieces = pieces4(header, udp(1000, 53, 3000), 1480);
  Frame whole;
  for (Frame& piece : pieces) {
    const Frame packet(piece.begin() + 14, piece.end());
    EXPECT_TRUE(is_forwarded(world.lan(packet)));
    ASSERT_EQ(world.sent.size(), 1u);
    EXPECT_EQ(world.sent[0].packet.tuple.source, address4(kOurs));
    whole.insert(whole.end(), world.sent[0].frame.begin() + 34, world.sent[0].frame.end());
  }
  const Frame together = ip4({kOurs, kOutside, kUdp, 77, 0x4000, {}}, {});
  Frame framed = ether(kEtherIp4, join(together, whole));
  put16(framed, 16, static_cast<std::uint16_t>(20 + whole.size()));
  fix_ip4_checksum(framed);
  Packet packet;
  ASSERT_EQ(read_packet(framed, packet), Malformed::no);
  EXPECT_FALSE(packet.checksum_fails) << "of the datagram that is put together";
}

TEST(Nat, PiecesThatCameBeforeTheirFirstGoItsWayToo) {
  RouterWorld world(kHome);
  const auto pieces = pieces4({kInside, kOutside, kUdp, 77, 0, {}}, udp(1000, 53, 3000), 1480);
  ASSERT_EQ(pieces.size(), 3u);
  for (const std::size_t i : {2u, 1u}) {
    EXPECT_EQ(world.lan(Frame(pieces[i].begin() + 14, pieces[i].end())), Reason::waits);
    EXPECT_TRUE(world.sent.empty());
  }
  world.lan(Frame(pieces[0].begin() + 14, pieces[0].end()));
  ASSERT_EQ(world.sent.size(), 3u);
  for (const Sent& one : world.sent) {
    EXPECT_EQ(one.port, kWan);
    EXPECT_EQ(one.packet.tuple.source, address4(kOurs));
  }
}

TEST(Nat, APortRangeThatIsUsedUpKeepsTheOldAndDropsTheNew) {
  RouterWorld world("chain postrouting {\n udp dport 53 snat to 192.0.2.9:5000-5003\n}\n"
                    "chain forward {\n accept\n}\n");
  for (std::uint16_t i = 0; i < 4; ++i) {
    EXPECT_EQ(world.lan(udp4(kInside, static_cast<std::uint16_t>(1000 + i), kOutside, 53)),
              Reason::rule_accepts);
    EXPECT_GE(world.sent.at(0).packet.tuple.source_port, 5000);
    EXPECT_LE(world.sent.at(0).packet.tuple.source_port, 5003);
  }
  EXPECT_EQ(world.lan(udp4(kInside, 2000, kOutside, 53)), Reason::untranslated);
  EXPECT_EQ(world.lan(udp4(kInside, 1000, kOutside, 53)), Reason::rule_accepts);
  EXPECT_EQ(world.lan(udp4(kInside, 2000, "198.51.100.8", 53)), Reason::rule_accepts)
      << "to another the same ports are free";
  world.now_ms += 31'000;
  EXPECT_EQ(world.lan(udp4(kInside, 2000, kOutside, 53)), Reason::rule_accepts)
      << "what is over gives its port back";
}

TEST(Nat, ANewAddressEndsTheFlowsOfTheOld) {
  RouterWorld world(kHome);
  world.lan(udp4(kInside, 1000, kOutside, 53));
  EXPECT_EQ(world.firewall.flows().size(), 1u);
  RouterPort port = world.ports[kWan];
  world.router.change_port(kWan, port);
  EXPECT_EQ(world.firewall.flows().size(), 1u);
  port.address = address4("192.0.2.2");
  world.router.change_port(kWan, port);
  EXPECT_EQ(world.firewall.flows().size(), 0u);
  world.lan(udp4(kInside, 1000, kOutside, 53));
  EXPECT_EQ(world.sent.at(0).packet.tuple.source, address4("192.0.2.2"));
}

TEST(Nat, TellsTheSenderOfASilentHopWhatItSent) {
  RouterWorld world(kHome);
  world.neighbours_answer = false;
  world.lan(udp4(kInside, 1000, kOutside, 53));
  for (int i = 0; i < 3; ++i) world.tick();
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kLan);
  EXPECT_EQ(world.sent[0].packet.tuple.target, address4(kInside));
  EXPECT_EQ(world.sent[0].packet.about.source, address4(kInside));
  EXPECT_EQ(world.sent[0].packet.about.source_port, 1000);
}

TEST(Nat, TellsNobodyOfAFlowThatIsForgotten) {
  RouterWorld world(kHome);
  world.neighbours_answer = false;
  world.lan(udp4(kInside, 1000, kOutside, 53));
  RouterPort port = world.ports[kWan];
  port.address = address4("192.0.2.2");  // what waits has the old one as its sender
  world.router.change_port(kWan, port);
  for (int i = 0; i < 3; ++i) world.tick();
  EXPECT_TRUE(world.sent.empty()) << "nobody knows any more who that was";
}

}  // namespace
}  // namespace images::firewall
