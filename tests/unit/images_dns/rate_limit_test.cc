#include "images/dns/rate_limit.h"

#include <gtest/gtest.h>

#include <memory>

namespace images::dns {
namespace {

Address v4(const std::array<std::uint8_t, 4>& bytes) { return Address::of_ipv4(bytes); }

TEST(RateLimit, AllowsItsNumberPerSecondAndNetwork) {
  const auto limit = std::make_unique<RateLimit>(20, 42);
  int answered = 0;
  int truncated = 0;
  for (int i = 0; i < 100; ++i) {
    const Allowance allowance = limit->ask(v4({192, 0, 2, static_cast<std::uint8_t>(i)}), 5000);
    answered += allowance == Allowance::answer ? 1 : 0;
    truncated += allowance == Allowance::truncate ? 1 : 0;
  }
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(truncated, 40);
  EXPECT_EQ(limit->ask(v4({198, 51, 100, 1}), 5000), Allowance::answer);
}

TEST(RateLimit, FillsUpAgainWithTime) {
  const auto limit = std::make_unique<RateLimit>(10, 42);
  const Address source = v4({192, 0, 2, 1});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(limit->ask(source, 0), Allowance::answer);
  EXPECT_NE(limit->ask(source, 0), Allowance::answer);
  EXPECT_NE(limit->ask(source, 99), Allowance::answer);
  EXPECT_EQ(limit->ask(source, 100), Allowance::answer);
  EXPECT_NE(limit->ask(source, 100), Allowance::answer);
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    answered += limit->ask(source, 100'000) == Allowance::answer ? 1 : 0;
  }
  EXPECT_EQ(answered, 10);  // a long silence saves up no more than one second's worth
}

TEST(RateLimit, CountsIpv6By56Bits) {
  const auto limit = std::make_unique<RateLimit>(1, 42);
  Address address;
  ASSERT_TRUE(parse_address("2001:db8:0:1::1", address));
  EXPECT_EQ(limit->ask(address, 0), Allowance::answer);
  ASSERT_TRUE(parse_address("2001:db8:0:2::2", address));
  EXPECT_NE(limit->ask(address, 0), Allowance::answer);
  ASSERT_TRUE(parse_address("2001:db8:0:100::1", address));
  EXPECT_EQ(limit->ask(address, 0), Allowance::answer);
}

TEST(RateLimit, IsOffAtZero) {
  const auto limit = std::make_unique<RateLimit>(0, 42);
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(limit->ask(v4({1, 2, 3, 4}), 0), Allowance::answer);
}

}  // namespace
}  // namespace images::dns
