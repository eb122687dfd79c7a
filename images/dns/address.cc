#include "images/dns/address.h"

#include <algorithm>

#include "images/runtime/config.h"

namespace images::dns {
namespace {

using runtime::parse_ipv4;
using runtime::parse_number;

constexpr std::size_t kV4At = 12;  // where the four bytes stand in a mapped address
constexpr std::array<std::uint8_t, kV4At> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool parse_group(std::string_view text, std::uint16_t& out) {
  if (text.empty() || text.size() > 4) return false;
  std::array<std::uint8_t, 2> bytes{};
  std::array<char, 4> padded{'0', '0', '0', '0'};
  std::copy(text.begin(), text.end(), padded.end() - static_cast<std::ptrdiff_t>(text.size()));
  if (!runtime::parse_hex({padded.data(), padded.size()}, bytes)) return false;
  out = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
  return true;
}

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

bool parse_ipv6(std::string_view text, std::array<std::uint8_t, 16>& out) {
  std::array<std::uint16_t, 8> groups{};
  std::size_t count = 0;
  std::size_t gap = 8;  // index of the group before which "::" stands
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view part(text.data(), std::min(colon, text.size()));
    std::array<std::uint8_t, 4> v4{};
    if (colon == std::string_view::npos && count <= 6 && parse_ipv4(part, v4)) {
      groups[count++] = static_cast<std::uint16_t>(v4[0] << 8 | v4[1]);
      groups[count++] = static_cast<std::uint16_t>(v4[2] << 8 | v4[3]);
      break;
    }
    if (count == 8 || !parse_group(part, groups[count])) return false;
    ++count;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.starts_with(':')) {
      if (gap != 8) return false;
      gap = count;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return false;  // a single ':' at the end
    }
  }
  if (gap == 8 ? count != 8 : count > 7) return false;
  const std::size_t missing = 8 - count;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t to = i < gap ? i : i + missing;
    out[2 * to] = static_cast<std::uint8_t>(groups[i] >> 8);
    out[2 * to + 1] = static_cast<std::uint8_t>(groups[i]);
  }
  return true;
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
