#include "images/firewall/options.h"

#include <algorithm>

#include "images/runtime/address.h"

namespace images::firewall {
namespace {

bool take_number(std::string_view text, std::uint64_t least, std::uint64_t most,
                 std::uint32_t& out) {
  std::uint64_t value = 0;
  if (!runtime::parse_number(text, most, value) || value < least) return false;
  out = static_cast<std::uint32_t>(value);
  return true;
}

template <std::size_t N>
bool has_bits_behind(const std::array<std::uint8_t, N>& network, std::size_t bits) {
  for (std::size_t bit = bits; bit < N * 8; ++bit) {
    if ((network[bit / 8] & (0x80 >> (bit % 8))) != 0) return true;
  }
  return false;
}

template <std::size_t N, typename Parse>
bool take_route(std::string_view network, std::string_view bits, std::string_view gateway,
                Parse parse, StaticRoute& out) {
  std::array<std::uint8_t, N> first{};
  std::array<std::uint8_t, N> hop{};
  std::uint64_t count = 0;
  if (!parse(network, first) || !runtime::parse_number(bits, N * 8, count)) return false;
  if (!parse(gateway, hop) || has_bits_behind(first, count)) return false;
  std::copy(first.begin(), first.end(), out.network.begin());
  std::copy(hop.begin(), hop.end(), out.gateway.begin());
  out.bits = static_cast<std::uint8_t>(count);
  out.is_ip6 = N == 16;
  return true;
}

const char* add_route(std::string_view text, Options& out) {
  if (out.route_count == out.routes.size()) return "more routes than fit: 32";
  std::string_view bits = text;
  std::string_view network;
  std::string_view length;
  StaticRoute& route = out.routes[out.route_count++];
  const bool is_whole = runtime::cut(bits, '/', network) && runtime::cut(bits, ',', length);
  const bool is_route =
      is_whole && (take_route<4>(network, length, bits, runtime::parse_ipv4, route) ||
                   take_route<16>(network, length, bits, runtime::parse_ipv6, route));
  return is_route ? nullptr : "not a route: NETWORK/BITS,GATEWAY";
}

}  // namespace

const char* parse_options(std::span<const std::string_view> arguments, Options& out,
                          std::string_view& bad) {
  for (const std::string_view argument : arguments) {
    bad = argument;
    std::string_view value = argument;
    std::string_view name;
    if (!runtime::cut(value, '=', name)) name = argument;
    if (name == "--flows") {
      if (!take_number(value, 16, 1 << 20, out.flows)) return "not a number of 16..1048576 flows";
    } else if (name == "--adopt") {
      if (!take_number(value, 0, 600, out.adopt_seconds)) return "not a number of 0..600 seconds";
    } else if (name == "--metrics") {
      if (!take_number(value, 1, 65535, out.metrics_port)) return "not a port of 1..65535";
    } else if (name == "--replies") {
      if (!take_number(value, 1, 1'000'000, out.replies)) return "not a number of 1..1000000";
    } else if (name == "--route") {
      const char* fault = add_route(value, out);
      if (fault != nullptr) return fault;
    } else {
      return "no such argument; there are --flows=N, --adopt=SECONDS, --replies=N, --metrics=PORT "
             "and --route=NETWORK/BITS,GATEWAY";
    }
  }
  return nullptr;
}

}  // namespace images::firewall
