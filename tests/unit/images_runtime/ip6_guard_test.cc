#include "images/runtime/net/ip6_guard.h"

#include <gtest/gtest.h>

#include <vector>

namespace images::runtime::net {
namespace {

// An IPv6 header with that next header, and what follows it.
std::vector<std::uint8_t> packet(std::uint8_t next, std::vector<std::uint8_t> behind) {
  std::vector<std::uint8_t> out(40);
  out[0] = 0x60;
  out[6] = next;
  out.insert(out.end(), behind.begin(), behind.end());
  return out;
}

TEST(Ip6Guard, LetsThroughOnlyWhatTheGuestAnswers) {
  const struct {
    const char* what;
    std::vector<std::uint8_t> bytes;
    bool wanted;
  } cases[] = {
      {"TCP", packet(6, {1}), true},
      {"UDP", packet(17, {1}), true},
      {"an echo request", packet(58, {128, 0}), true},
      {"a neighbour's advertisement", packet(58, {136, 0}), true},
      {"a router's advertisement", packet(58, {134, 0}), false},
      {"a redirect", packet(58, {137, 0}), false},
      {"a listener query behind a router alert", packet(0, {58, 0, 5, 2, 0, 0, 1, 0, 130}), true},
      {"a router behind a router alert", packet(0, {58, 0, 5, 2, 0, 0, 1, 0, 134}), false},
      {"a query behind long options", packet(0, {58, 1, 1, 4, 0, 0, 0, 0, 130, 0}), false},
      {"options without an end", packet(0, {58, 0, 5, 2, 0, 0, 1, 0}), false},
      {"a fragment", packet(44, {58, 0, 0, 0, 0, 0, 0, 0, 134}), false},
      {"a routing header", packet(43, {6, 0, 0, 0, 0, 0, 0, 0, 1}), false},
      {"destination options", packet(60, {58, 0, 1, 4, 0, 0, 0, 0, 134}), false},
      {"a header alone", packet(58, {}), false},
      {"nothing", {}, false},
  };
  for (const auto& c : cases) EXPECT_EQ(is_wanted_ip6(c.bytes), c.wanted) << c.what;
}

}  // namespace
}  // namespace images::runtime::net
