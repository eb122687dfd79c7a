// Datagrams in pieces through a bridge: in any order, after the verdict on the first, and never one
// over another.
#include <gtest/gtest.h>

#include "images/firewall/fragment_table.h"
#include "tests/unit/images_firewall/world.h"

namespace images::firewall {
namespace {

const Ip4 kBig{"10.0.0.1", "192.0.2.7", kUdp, 77, 0, {}};
constexpr char kDns[] = "chain forward {\n udp dport 53 accept\n}\n";

TEST(Pieces, FollowTheirFirst) {
  World world(kDns);
  const auto wanted = pieces4(kBig, udp(1000, 53, 3000), 1480);
  ASSERT_EQ(wanted.size(), 3u);
  for (const Frame& piece : wanted) EXPECT_TRUE(world.lan(piece));
  EXPECT_FALSE(world.lan(wanted[1])) << "the datagram is whole";
  for (const Frame& piece : pieces4(kBig, udp(1000, 54, 3000), 1480)) {
    EXPECT_FALSE(world.lan(piece)) << "no piece of one that no rule accepts";
  }
}

TEST(Pieces, ThoseBeforeTheFirstWaitForIt) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 6000), 1480);
  ASSERT_EQ(pieces.size(), 5u);
  for (const std::size_t i : {4u, 2u, 1u}) {
    EXPECT_EQ(world.from_lan(pieces[i]).reason, Reason::waits);
    EXPECT_TRUE(world.early().empty());
  }
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_EQ(world.early(), (std::vector<Frame>{pieces[4], pieces[2], pieces[1]}));
  EXPECT_TRUE(world.lan(pieces[3]));
  EXPECT_EQ(world.from_lan(pieces[4]).reason, Reason::waits) << "the datagram is whole";
  const auto& counts = world.firewall.counts();
  EXPECT_EQ(counts[static_cast<std::size_t>(Reason::waits)], 4u);
  EXPECT_EQ(counts[static_cast<std::size_t>(Reason::follows)], 4u);
}

TEST(Pieces, ThoseOfADatagramThatNoRuleAcceptsWaitForNothing) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 54, 3000), 1480);
  EXPECT_FALSE(world.lan(pieces[1]));
  EXPECT_FALSE(world.lan(pieces[0]));
  EXPECT_TRUE(world.early().empty());
}

TEST(Pieces, WaitingTakesNoLongerThanPuttingADatagramTogether) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  world.lan(pieces[1]);
  world.now_ms += 30'001;
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_TRUE(world.early().empty());
}

TEST(Pieces, AFloodOfThemPushesOutTheOldestAndNothingElse) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  Ip4 other = kBig;
  world.lan(pieces[1]);
  for (int i = 0; i < 63; ++i) {
    ++other.id;
    world.lan(pieces4(other, udp(1000, 53, 3000), 1480)[1]);
  }
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_EQ(world.early().size(), 1u);
  for (int i = 0; i < 64; ++i) {
    ++other.id;
    world.lan(pieces4(other, udp(1000, 53, 3000), 1480)[1]);
  }
  const auto whole = pieces4({"10.0.0.1", "192.0.2.8", kUdp, 1, 0, {}}, udp(1, 53, 3000), 1480);
  for (const Frame& piece : whole) EXPECT_TRUE(world.lan(piece));
}

TEST(Pieces, APieceTwiceBeforeTheFirstGoesOnOnce) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  world.lan(pieces[1]);
  world.lan(pieces[1]);
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_EQ(world.early().size(), 1u);
}

TEST(Pieces, AreDroppedWhereTheyOverlap) {
  World world(kDns);
  const auto pieces = pieces4(kBig, udp(1000, 53, 3000), 1480);
  Ip4 over = kBig;
  over.fragment = 0x2000 | 1;  // at byte 8: over what the first brought
  EXPECT_TRUE(world.lan(pieces[0]));
  EXPECT_EQ(world.from_lan(ether(kEtherIp4, ip4(over, Frame(800)))).reason, Reason::fragment);
  EXPECT_TRUE(world.lan(pieces[1]));
  EXPECT_FALSE(world.lan(pieces[1])) << "again is an overlap, too";
}

TEST(Pieces, AreTheirSendersAlone) {
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

TEST(Pieces, OfIpv6FollowToo) {
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

TEST(Covered, TakesEachByteOnceInAnyOrder) {
  for (const std::vector<std::uint32_t>& order :
       {std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7}, {7, 6, 5, 4, 3, 2, 1, 0},
        {0, 2, 1, 4, 3, 7, 6, 5}, {3, 0, 5, 7, 1, 6, 2, 4}}) {
    Covered came;
    for (const std::uint32_t at : order) {
      EXPECT_FALSE(came.is_whole());
      EXPECT_TRUE(came.add(at * 8, at * 8 + 8, at == 7)) << at;
      EXPECT_FALSE(came.add(at * 8, at * 8 + 8, at == 7)) << "twice " << at;
    }
    EXPECT_TRUE(came.is_whole());
  }
}

TEST(Covered, RefusesOverlapsOnEitherSide) {
  Covered came;
  EXPECT_TRUE(came.add(80, 160, false));
  for (const auto& [begin, end] : std::initializer_list<std::pair<std::uint32_t, std::uint32_t>>{
           {72, 88}, {152, 168}, {72, 168}, {88, 96}, {80, 160}, {80, 88}, {152, 160}}) {
    EXPECT_FALSE(came.add(begin, end, false)) << begin << " to " << end;
  }
  EXPECT_TRUE(came.add(160, 168, false));
  EXPECT_TRUE(came.add(72, 80, false));
}

TEST(Covered, ADatagramHasOneEnd) {
  Covered came;
  EXPECT_TRUE(came.add(80, 160, false));
  EXPECT_FALSE(came.add(0, 80, true)) << "there is more behind it";
  EXPECT_TRUE(came.add(160, 165, true));
  EXPECT_FALSE(came.add(168, 176, false));
  EXPECT_FALSE(came.add(168, 176, true));
  EXPECT_FALSE(came.is_whole());
  EXPECT_TRUE(came.add(0, 80, false));
  EXPECT_TRUE(came.is_whole());
}

TEST(Covered, RemembersSoManyHolesAndNoMore) {
  Covered came;
  for (std::uint32_t at = 0; at < Covered::kRanges * 16; at += 16) {
    EXPECT_TRUE(came.add(at, at + 8, false));
  }
  EXPECT_FALSE(came.add(800, 808, false));
  EXPECT_TRUE(came.add(8, 16, false));
  EXPECT_TRUE(came.add(800, 808, false)) << "a hole was filled";
}

}  // namespace
}  // namespace images::firewall
