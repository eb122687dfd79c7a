// The way of packets through the router: next hops, hops left, sizes, and what is not forwarded.
#include <gtest/gtest.h>

#include "tests/unit/images_firewall/router_world.h"

namespace images::firewall {
namespace {

constexpr char kAll[] = "chain forward {\n accept\n}\n";

Frame packet4(const std::string& from, const std::string& to, std::size_t size = 4,
              std::uint8_t hops = 64, std::uint16_t fragment = 0) {
  Frame out = ip4({from, to, kUdp, 7, fragment, {}}, udp(1000, 53, size));
  out[8] = hops;
  Frame framed = ether(kEtherIp4, out);
  fix_ip4_checksum(framed);
  return {framed.begin() + 14, framed.end()};
}

TEST(Router, SendsToAStationOnTheLinkAndTakesOneHop) {
  RouterWorld world(kAll);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "192.0.2.7")), Reason::rule_accepts);
  ASSERT_EQ(world.questions.size(), 1u) << "who has 192.0.2.7?";
  EXPECT_EQ(world.questions[0].port, kWan);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kWan);
  EXPECT_EQ(world.sent[0].packet.hops, 63);
  EXPECT_EQ(world.sent[0].packet.target_mac[5], kFarStation);
  EXPECT_EQ(world.sent[0].packet.source_mac[5], kWanStation);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "192.0.2.7")), Reason::rule_accepts);
  EXPECT_TRUE(world.questions.empty()) << "known by now";
  EXPECT_EQ(world.sent.size(), 1u);
}

TEST(Router, SendsBothFamiliesByTheirGateways) {
  RouterWorld world(kAll);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "198.51.100.7")), Reason::rule_accepts);
  ASSERT_EQ(world.questions.size(), 1u);
  const Frame asked(world.questions[0].frame.begin() + 38, world.questions[0].frame.begin() + 42);
  EXPECT_EQ(asked, (Frame{192, 0, 2, 254}));
  const Frame six = ip6("2001:db8:1::5", "2001:db8:7::7", kUdp, udp(1000, 53));
  EXPECT_EQ(world.take(kLan, kEtherIp6, six), Reason::rule_accepts);
  ASSERT_EQ(world.questions.size(), 1u);
  EXPECT_EQ(world.questions[0].packet.tuple.target, address6("ff02::1:ff00:254"));
  EXPECT_EQ(world.questions[0].packet.hops, 255);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.hops, 63);
}

TEST(Router, GoesByTheLongestNetwork) {
  RouterWorld world(kAll, {{address4("172.16.0.0"), 12, false, address4("10.0.0.9")},
                           {address4("172.16.5.0"), 24, false, address4("192.0.2.9")}});
  EXPECT_EQ(world.router.first_lost_route(), 2u);
  world.lan(packet4("10.0.0.5", "172.16.5.1"));
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kWan);
  world.wan(packet4("192.0.2.7", "172.16.6.1"));
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].port, kLan);
  RouterWorld lost(kAll, {{address4("172.16.0.0"), 12, false, address4("203.0.113.9")}});
  EXPECT_EQ(lost.router.first_lost_route(), 0u);
}

TEST(Router, TellsTheSenderOfTheLastHop) {
  RouterWorld world(kAll);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "192.0.2.7", 4, 1)), Reason::expired);
  ASSERT_EQ(world.sent.size(), 1u);
  const Packet& error = world.sent[0].packet;
  EXPECT_EQ(world.sent[0].port, kLan);
  EXPECT_EQ(error.icmp_type, 11);
  EXPECT_EQ(error.tuple.source, address4("10.0.0.1"));
  EXPECT_EQ(error.tuple.target, address4("10.0.0.5"));
  EXPECT_EQ(error.about.target, address4("192.0.2.7"));
  Frame six = ip6("2001:db8:1::5", "2001:db8:7::7", kUdp, udp(1000, 53));
  six[7] = 1;
  EXPECT_EQ(world.take(kLan, kEtherIp6, six), Reason::expired);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.icmp_type, 3);
}

TEST(Router, CutsWhatMayBeCutAndRefusesWhatMayNot) {
  RouterWorld world(kAll, {}, 600);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "192.0.2.7", 1400)), Reason::rule_accepts);
  ASSERT_EQ(world.sent.size(), 3u);
  std::size_t end = 0;
  for (const Sent& one : world.sent) {
    EXPECT_LE(one.frame.size(), 14u + 600);
    EXPECT_EQ(one.packet.fragment.begin, end);
    end = one.packet.fragment.end;
  }
  EXPECT_EQ(end, 1408u);
  EXPECT_TRUE(world.sent[2].packet.fragment.is_last);
  EXPECT_FALSE(world.sent[1].packet.fragment.is_last);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "192.0.2.7", 1400, 64, 0x4000)), Reason::too_big);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.icmp_type, 3);
  EXPECT_EQ(world.sent[0].packet.icmp_code, 4);
  EXPECT_EQ(read16(world.sent[0].frame, world.sent[0].packet.transport_at + 6), 600);
  const Frame six = ip6("2001:db8:1::5", "2001:db8:7::7", kUdp, udp(1000, 53, 1400));
  EXPECT_EQ(world.take(kLan, kEtherIp6, six), Reason::too_big);
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].packet.icmp_type, 2);
}

TEST(Router, ForwardsNoAddressesOfNobody) {
  RouterWorld world(kAll);
  const struct {
    std::size_t port;
    const char* from;
    const char* to;
  } cases[] = {
      {kLan, "127.0.0.1", "192.0.2.7"},   {kLan, "0.0.0.0", "192.0.2.7"},
      {kLan, "224.0.0.5", "192.0.2.7"},   {kLan, "255.255.255.255", "192.0.2.7"},
      {kLan, "169.254.1.1", "192.0.2.7"}, {kLan, "10.0.0.1", "192.0.2.7"},
      {kLan, "10.0.0.255", "192.0.2.7"},  {kLan, "192.0.2.7", "192.0.2.8"},
      {kLan, "8.8.8.8", "192.0.2.7"},     {kWan, "10.0.0.5", "10.0.0.6"},
      {kLan, "10.0.0.5", "127.0.0.1"},    {kLan, "10.0.0.5", "240.0.0.1"},
      {kWan, "192.0.2.7", "10.0.0.255"},  {kLan, "10.0.0.5", "0.1.2.3"},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(world.take(one.port, kEtherIp4, packet4(one.from, one.to)), Reason::bogus)
        << one.from << " > " << one.to;
    EXPECT_TRUE(world.sent.empty());
  }
  for (const char* from : {"::1", "::", "ff02::1", "::ffff:10.0.0.5", "fe80::5", "2001:db8:2::7"}) {
    const Frame six = ip6(from, "2001:db8:2::7", kUdp, udp(1000, 53));
    EXPECT_EQ(world.take(kLan, kEtherIp6, six), Reason::bogus) << from;
  }
}

TEST(Router, LeavesFramesForOthersAndThoseToAllAlone) {
  RouterWorld world(kAll);
  const Frame packet = packet4("10.0.0.5", "192.0.2.7");
  EXPECT_EQ(world.take_frame(kLan, ether(kEtherIp4, packet, kFarStation, 0x77)),
            Reason::elsewhere);
  Frame to_all = ether(kEtherIp4, packet, kFarStation, kLanStation);
  std::fill_n(to_all.begin(), 6, std::uint8_t{0xff});
  EXPECT_EQ(world.take_frame(kLan, to_all), Reason::bogus);
  const Frame routed = ip4({"10.0.0.5", "192.0.2.7", kUdp, 7, 0, {131, 7, 4, 1, 1, 1, 1, 0}},
                           udp(1000, 53));
  EXPECT_EQ(world.lan(routed), Reason::bogus) << "a source route";
}

TEST(Router, SaysThatANextHopIsSilentAndGoesOn) {
  RouterWorld world(kAll);
  world.neighbours_answer = false;
  for (int i = 0; i < 18; ++i) world.lan(packet4("10.0.0.5", "192.0.2.7"));
  EXPECT_EQ(world.router.delivery().unresolved(), 2u) << "sixteen wait";
  world.sent.clear();
  for (int i = 0; i < 2; ++i) world.tick();
  EXPECT_TRUE(world.sent.empty());
  world.tick();
  ASSERT_EQ(world.sent.size(), 16u);
  EXPECT_EQ(world.sent[0].port, kLan);
  EXPECT_EQ(world.sent[0].packet.icmp_type, 3);
  EXPECT_EQ(world.sent[0].packet.icmp_code, 1);
  EXPECT_EQ(world.router.delivery().unresolved(), 18u);
  world.neighbours_answer = true;
  world.lan(packet4("10.0.0.5", "192.0.2.7"));
  EXPECT_EQ(world.sent.size(), 1u) << "and is asked anew";
}

TEST(Router, ADatagramInPiecesWaitsWholeForItsNextHop) {
  RouterWorld world(kAll);
  world.neighbours_answer = false;
  const auto pieces =
      pieces4({"10.0.0.5", "192.0.2.7", kUdp, 7, 0, {}}, udp(1000, 53, 20'000), 1480);
  ASSERT_EQ(pieces.size(), 14u);
  for (const Frame& piece : pieces) world.lan(Frame(piece.begin() + 14, piece.end()));
  world.tick();
  world.sent.clear();
  world.answer_questions();
  EXPECT_EQ(world.sent.size(), 14u);
}

TEST(Router, AsksANeighbourAgainAndForgetsOneThatLeft) {
  RouterWorld world(kAll);
  world.lan(packet4("10.0.0.5", "192.0.2.7"));
  world.neighbours_answer = false;
  world.now_ms += 30'000;
  world.lan(packet4("10.0.0.5", "192.0.2.7"));
  EXPECT_EQ(world.sent.size(), 1u) << "goes there meanwhile";
  EXPECT_EQ(world.questions.size(), 1u);
  for (int i = 0; i < 3; ++i) world.tick();
  world.lan(packet4("10.0.0.5", "192.0.2.7"));
  EXPECT_TRUE(world.sent.empty());
}

TEST(Router, ItsOwnAddressesAreJudgedByChainInput) {
  RouterWorld world("chain input {\n iif lan icmp type echo-request accept\n}\n"
                    "chain forward {\n accept\n}\n");
  const auto ping = [](const char* from, const char* to) {
    return ip4({from, to, kIcmp, 1, 0, {}}, icmp(8, 0, 9));
  };
  EXPECT_EQ(world.lan(ping("10.0.0.5", "10.0.0.1")), Reason::own);
  EXPECT_EQ(world.lan(ping("10.0.0.5", "192.0.2.1")), Reason::own);
  EXPECT_EQ(world.wan(ping("192.0.2.7", "192.0.2.1")), Reason::policy);
  EXPECT_EQ(world.wan(ping("192.0.2.7", "10.0.0.1")), Reason::policy);
  EXPECT_EQ(world.lan(packet4("10.0.0.5", "255.255.255.255")), Reason::policy);
  EXPECT_EQ(world.take_frame(kLan, ether(kEtherArp, Frame(28))), Reason::own);
  RouterWorld closed(kAll);
  EXPECT_EQ(closed.lan(ping("10.0.0.5", "10.0.0.1")), Reason::policy) << "without it: nothing";
}

TEST(Router, SaysNothingMoreThanItsLimit) {
  RouterWorld world(kAll);
  int told = 0;
  for (int i = 0; i < 300; ++i) {
    world.lan(packet4("10.0.0.5", "192.0.2.7", 4, 1));
    told += static_cast<int>(world.sent.size());
  }
  EXPECT_EQ(told, 100);
}

TEST(Router, ComplainsOfNoErrorAndNoLaterPiece) {
  RouterWorld world(kAll);
  const Frame quoted = ip4({"10.0.0.5", "192.0.2.7", kUdp, 1, 0, {}}, udp(1, 2));
  Frame error = ip4({"10.0.0.5", "192.0.2.7", kIcmp, 1, 0, {}}, icmp(3, 1, 0, quoted));
  error[8] = 1;
  Frame framed = ether(kEtherIp4, error, kFarStation, kLanStation);
  fix_ip4_checksum(framed);
  EXPECT_EQ(world.take_frame(kLan, framed), Reason::expired);
  EXPECT_TRUE(world.sent.empty());
}

}  // namespace
}  // namespace images::firewall
