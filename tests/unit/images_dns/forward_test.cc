#include "images/dns/forward.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace images::dns {
namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes kQuery{0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1,              // header
                   3, 'W', 'w', 'w', 2, 'u', 'p', 0, 0, 1, 0, 1,                // question
                   0, 0, 41, 0x10, 0x00, 0, 0, 0x80, 0, 0, 0};                  // OPT, 4096 bytes
constexpr std::size_t kQuestionEnd = 24;
const std::array<Endpoint, 2> kServers{};

struct Forwarding : testing::Test {
  Forwarding() {
    EXPECT_EQ(parse_query(kQuery, query, rcode), Verdict::look_up);
    take_over(kQuery, query, *forwarded);
    EXPECT_TRUE(begin_try(*forwarded, upstreams, 0xbeef, 1000));
  }
  Bytes answer() const {
    Bytes bytes(forwarded->packet().begin(), forwarded->packet().end());
    bytes[2] = 0x81;
    bytes[3] = 0x80;
    return bytes;
  }

  Query query;
  Rcode rcode;
  std::unique_ptr<Forwarded> forwarded = std::make_unique<Forwarded>();
  Upstreams upstreams{kServers};
};

TEST_F(Forwarding, SendsWhatCameUnderAnotherIdAndWithASizeThatFits) {
  Bytes wanted = kQuery;
  wanted[0] = 0xbe;
  wanted[1] = 0xef;
  wanted[kQuestionEnd + 3] = kMaxUdpBytes >> 8;
  wanted[kQuestionEnd + 4] = kMaxUdpBytes & 0xff;
  EXPECT_EQ(Bytes(forwarded->packet().begin(), forwarded->packet().end()), wanted);
}

TEST_F(Forwarding, TakesAnAnswerToItsQuestionOnly) {
  EXPECT_TRUE(is_answer(*forwarded, answer()));
  Bytes other_case = answer();
  other_case[13] = 'w';
  EXPECT_TRUE(is_answer(*forwarded, other_case));
  for (std::size_t i = 0; i < kQuestionEnd; ++i) {
    const bool free = i == 3 || (i >= 6 && i < kHeaderBytes);  // codes and counts
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bytes = answer();
      bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ 1U << bit);
      const bool letter = bit == 5 && ((i >= 13 && i < 16) || i == 17 || i == 18);
      const bool flag = i == 2 && bit < 3;  // RD, TC, AA
      EXPECT_EQ(is_answer(*forwarded, bytes), free || letter || flag) << i << " " << bit;
    }
  }
  const Bytes whole = answer();
  for (std::size_t size = 0; size < kQuestionEnd; ++size) {
    EXPECT_FALSE(is_answer(*forwarded, {whole.data(), size})) << size;
  }
}

TEST_F(Forwarding, HandsBackTheAskersIdAndSpelling) {
  Bytes bytes = answer();
  bytes[13] = 'w';
  ASSERT_EQ(hand_back(*forwarded, bytes, false), bytes.size());
  EXPECT_EQ(bytes[0], 0x12);
  EXPECT_EQ(bytes[1], 0x34);
  EXPECT_EQ(bytes[13], 'W');
}

TEST_F(Forwarding, TellsTheAskerToUseTcpForWhatIsTooLong) {
  Bytes bytes = answer();
  bytes.resize(kMaxUdpBytes);
  EXPECT_EQ(hand_back(*forwarded, bytes, false), kMaxUdpBytes);
  bytes = answer();
  bytes.resize(kMaxUdpBytes + 1);
  Bytes by_tcp = bytes;
  EXPECT_EQ(hand_back(*forwarded, by_tcp, true), by_tcp.size());
  EXPECT_EQ(by_tcp[2] & 2, 0);
  EXPECT_EQ(hand_back(*forwarded, bytes, false), kQuestionEnd);
  EXPECT_EQ(bytes[2] & 2, 2);
  EXPECT_EQ(Bytes(bytes.begin() + 6, bytes.begin() + 12), Bytes(6));
}

TEST_F(Forwarding, TriesThreeTimesInTurn) {
  EXPECT_EQ(forwarded->upstream, 0);
  EXPECT_EQ(forwarded->deadline_ms, 1800u);
  upstreams.was_silent(0);
  EXPECT_EQ(upstreams.preferred(), 1u);
  ASSERT_TRUE(begin_try(*forwarded, upstreams, 1, 2000));
  EXPECT_EQ(forwarded->upstream, 1);
  ASSERT_TRUE(begin_try(*forwarded, upstreams, 2, 4000));
  EXPECT_EQ(forwarded->upstream, 0);
  EXPECT_FALSE(begin_try(*forwarded, upstreams, 3, 6000));
  EXPECT_LT(forwarded->deadline_ms - 4000 + 800 + 1200, 5000u);  // what stub resolvers wait
}

TEST(Upstreams, PreferTheOneThatAnswered) {
  Upstreams upstreams(kServers);
  upstreams.answered(1);
  EXPECT_EQ(upstreams.preferred(), 1u);
  upstreams.was_silent(0);
  EXPECT_EQ(upstreams.preferred(), 1u);
  upstreams.was_silent(1);
  EXPECT_EQ(upstreams.preferred(), 0u);
}

TEST_F(Forwarding, KnowsAFailureThatAnotherServerMayNotHave) {
  const std::set<unsigned> failures{2, 4, 5};
  for (unsigned code = 0; code < 16; ++code) {
    Bytes bytes = answer();
    bytes[3] = static_cast<std::uint8_t>(0x80 | code);
    EXPECT_EQ(is_failure(bytes), failures.count(code) == 1) << code;
  }
}

}  // namespace
}  // namespace images::dns
