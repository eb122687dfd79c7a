#include "images/dns/address.h"

#include <algorithm>

#include "images/runtime/address.h"

namespace images::dns {
namespace {

using runtime::parse_ipv4;
using runtime::parse_ipv6;
using runtime::parse_number;

constexpr std::size_t kV4At = 12;  // where the four bytes stand in a mapped address
constexpr std::array<std::uint8_t, kV4At> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::of_ipv4(const std::array<std::uint8_t, 4>& v4) {
  Address result;
  std::copy(kMapped.begin(), kMapped.end(), result.bytes.begin());
  std::copy(v4.begin(), v4.end(), result.bytes.begin() + kV4At);
  return result;
}

bool Address::is_ipv4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes.begin()); }

std::array<std::uint8_t, 4> Address::ipv4() const {
  return {bytes[kV4At], bytes[kV4At + 1], bytes[kV4At + 2], bytes[kV4At + 3]};
}

bool Prefix::contains(const Address& other) const {
  const std::size_t whole = bits / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  other.bytes.begin())) {
    return false;
  }
  if (bits % 8 == 0) return true;
  return (address.bytes[whole] ^ other.bytes[whole]) >> (8 - bits % 8) == 0;
}

bool parse_address(std::string_view text, Address& out) {
  std::array<std::uint8_t, 4> v4{};
  if (parse_ipv4(text, v4)) {
    out = Address::of_ipv4(v4);
    return true;
  }
  return parse_ipv6(text, out.bytes);
}

bool parse_endpoint(std::string_view text, std::uint16_t default_port, Endpoint& out) {
  out.port = default_port;
  if (parse_address(text, out.address)) return true;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::uint64_t port = 0;
  if (!parse_number({text.data() + colon + 1, text.size() - colon - 1}, 65535, port)) return false;
  std::string_view address(text.data(), colon);
  if (port == 0) return false;
  out.port = static_cast<std::uint16_t>(port);
  if (address.starts_with('[') && address.ends_with(']')) {
    address.remove_prefix(1);
    address.remove_suffix(1);
    return parse_ipv6(address, out.address.bytes);
  }
  return parse_address(address, out.address) && out.address.is_ipv4();
}

bool parse_prefix(std::string_view text, Prefix& out) {
  const std::size_t slash = text.find('/');
  const std::string_view address(text.data(), std::min(slash, text.size()));
  if (!parse_address(address, out.address)) return false;
  const std::uint8_t before = out.address.is_ipv4() ? 96 : 0;
  std::uint64_t bits = 128U - before;
  if (slash != std::string_view::npos) {
    const std::string_view count(text.data() + slash + 1, text.size() - slash - 1);
    if (!parse_number(count, 128U - before, bits)) return false;
  }
  out.bits = static_cast<std::uint8_t>(before + bits);
  for (std::size_t bit = out.bits; bit < 128; ++bit) {
    if ((out.address.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

}  // namespace images::dns
