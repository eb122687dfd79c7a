#include "images/runtime/net/ip6_guard.h"

namespace images::runtime::net {
namespace {

constexpr std::size_t kHeaderBytes = 40;
constexpr std::size_t kNextHeaderAt = 6;
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kListenerQuery = 130;
constexpr std::uint8_t kRouterAdvertisement = 134;
constexpr std::uint8_t kRedirect = 137;

}  // namespace

bool is_wanted_ip6(std::span<const std::uint8_t> packet) {
  if (packet.size() <= kHeaderBytes) return false;
  const std::uint8_t next = packet[kNextHeaderAt];
  if (next == kTcp || next == kUdp) return true;
  if (next == kIcmp6) {
    const std::uint8_t type = packet[kHeaderBytes];
    return type != kRouterAdvertisement && type != kRedirect;
  }
  // RFC 3810 section 5.1: hop-by-hop options of 8 bytes, then the query.
  return next == kHopByHop && packet.size() > kHeaderBytes + 8 && packet[kHeaderBytes] == kIcmp6 &&
         packet[kHeaderBytes + 1] == 0 && packet[kHeaderBytes + 8] == kListenerQuery;
}

}  // namespace images::runtime::net
