#include "images/runtime/address.h"

#include <gtest/gtest.h>

namespace images::runtime {
namespace {

TEST(Address, ReadsIpv6) {
  const struct {
    const char* text;
    std::array<std::uint8_t, 16> bytes;
  } cases[] = {
      {"::", {}},
      {"::1", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
      {"2001:db8::3", {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}},
      {"fe80::", {0xfe, 0x80}},
      {"1:2:3:4:5:6:7:8", {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}},
      {"::ffff:192.0.2.1", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}},
  };
  for (const auto& c : cases) {
    std::array<std::uint8_t, 16> out{};
    EXPECT_TRUE(parse_ipv6(c.text, out)) << c.text;
    EXPECT_EQ(out, c.bytes) << c.text;
  }
  for (const char* text : {"", ":", ":::", "1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
                           "12345::", "g::", "::1:", "1:2:3:4:5:6:7:192.0.2.1", "::1%eth0"}) {
    std::array<std::uint8_t, 16> out{};
    EXPECT_FALSE(parse_ipv6(text, out)) << text;
  }
}

TEST(Address, ReadsNumbersWithinTheirLimit) {
  std::uint64_t out = 0;
  EXPECT_TRUE(parse_number("65535", 65535, out));
  EXPECT_EQ(out, 65535u);
  EXPECT_TRUE(parse_number("18446744073709551615", UINT64_MAX, out));
  for (const char* text : {"65536", "", "-1", "+1", " 1", "1 ", "0x1", "99999999999999999999"}) {
    EXPECT_FALSE(parse_number(text, 65535, out)) << text;
  }
}

}  // namespace
}  // namespace images::runtime
