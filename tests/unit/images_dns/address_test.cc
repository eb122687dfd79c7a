#include "images/dns/address.h"

#include <gtest/gtest.h>

namespace images::dns {
namespace {

Address address_of(std::string_view text) {
  Address result;
  EXPECT_TRUE(parse_address(text, result)) << text;
  return result;
}

TEST(Address, ReadsBothFamiliesAsOneForm) {
  EXPECT_TRUE(address_of("192.0.2.1").is_ipv4());
  EXPECT_EQ(address_of("192.0.2.1"), address_of("::ffff:192.0.2.1"));
  EXPECT_EQ(address_of("192.0.2.1").ipv4(), (std::array<std::uint8_t, 4>{192, 0, 2, 1}));
  EXPECT_FALSE(address_of("2001:db8::1").is_ipv4());
  Address ignored;
  for (const char* text : {"", "192.0.2", "192.0.2.256", "1::2::3", "host", "192.0.2.1 "}) {
    EXPECT_FALSE(parse_address(text, ignored)) << text;
  }
}

TEST(Address, ReadsPortsBehindIt) {
  const struct {
    const char* text;
    const char* address;
    unsigned port;
  } cases[] = {
      {"192.0.2.1", "192.0.2.1", 53},          {"192.0.2.1:5353", "192.0.2.1", 5353},
      {"2001:db8::1", "2001:db8::1", 53},      {"[2001:db8::1]:5353", "2001:db8::1", 5353},
  };
  for (const auto& c : cases) {
    Endpoint endpoint;
    ASSERT_TRUE(parse_endpoint(c.text, 53, endpoint)) << c.text;
    EXPECT_EQ(endpoint.address, address_of(c.address)) << c.text;
    EXPECT_EQ(endpoint.port, c.port) << c.text;
  }
  Endpoint ignored;
  for (const char* text : {"", ":53", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
                           "[192.0.2.1]:53", "[2001:db8::1]", "2001:db8::1:x"}) {
    EXPECT_FALSE(parse_endpoint(text, 53, ignored)) << text;
  }
}

TEST(Prefix, HoldsItsNetworkAndNothingElse) {
  const struct {
    const char* prefix;
    const char* inside;
    const char* outside;
  } cases[] = {
      {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
      {"172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
      {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
      {"0.0.0.0/0", "255.255.255.255", "2001:db8::1"},
      {"::/0", "192.0.2.1", nullptr},
      {"fc00::/7", "fdff::1", "fe00::"},
      {"2001:db8::1/128", "2001:db8::1", "2001:db8::"},
  };
  for (const auto& c : cases) {
    Prefix prefix;
    ASSERT_TRUE(parse_prefix(c.prefix, prefix)) << c.prefix;
    EXPECT_TRUE(prefix.contains(address_of(c.inside))) << c.prefix;
    if (c.outside != nullptr) {
      EXPECT_FALSE(prefix.contains(address_of(c.outside))) << c.prefix;
    }
  }
  Prefix ignored;
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "a/8"}) {
    EXPECT_FALSE(parse_prefix(text, ignored)) << text;
  }
}

}  // namespace
}  // namespace images::dns
