#include "images/runtime/line.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "images/runtime/address.h"

namespace images::runtime {
namespace {

std::string shown(std::string_view text) {
  std::array<std::uint8_t, 16> address{};
  EXPECT_TRUE(parse_ipv6(text, address)) << text;
  Line line;
  line.add(Ipv6{address});
  return std::string(line.text());
}

TEST(Line, ShowsIpv6AsRfc5952WantsIt) {
  for (const std::string_view text :
       {"::", "::1", "1::", "2001:db8::2", "2001:db8:0:1:1:1:1:1", "2001:db8:1:1:1:1:0:1",
        "2001:0:0:1::1", "2001:db8::1:0:0:1", "fe80::5054:ff:fe12:3456", "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6::", "::3:4:5:6:7:8"}) {
    EXPECT_EQ(shown(text), text);
  }
  EXPECT_EQ(shown("2001:0DB8:0000:0000:0000:0000:0002:0001"), "2001:db8::2:1");
  EXPECT_EQ(shown("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
  EXPECT_EQ(shown("1:0:0:4:0:0:0:8"), "1:0:0:4::8");
}

}  // namespace
}  // namespace images::runtime
