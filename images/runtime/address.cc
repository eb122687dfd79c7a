#include "images/runtime/address.h"

#include <algorithm>

namespace images::runtime {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_group(std::string_view text, std::uint16_t& out) {
  if (text.empty() || text.size() > 4) return false;
  std::array<std::uint8_t, 2> bytes{};
  std::array<char, 4> padded{'0', '0', '0', '0'};
  std::copy(text.begin(), text.end(), padded.end() - static_cast<std::ptrdiff_t>(text.size()));
  if (!parse_hex({padded.data(), padded.size()}, bytes)) return false;
  out = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
  return true;
}

}  // namespace

bool parse_number(std::string_view text, std::uint64_t max, std::uint64_t& out) {
  if (text.empty()) return false;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (max - std::min(max, digit)) / 10) return false;
    value = value * 10 + digit;
  }
  if (value > max) return false;
  out = value;
  return true;
}

bool parse_ipv4(std::string_view text, std::array<std::uint8_t, 4>& out) {
  for (std::size_t i = 0; i < 4; ++i) {
    std::string_view part = text;
    if (i < 3 && !cut(text, '.', part)) return false;
    std::uint64_t value = 0;
    if (part.size() > 3 || !parse_number(part, 255, value)) return false;
    out[i] = static_cast<std::uint8_t>(value);
  }
  return true;
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

bool parse_mac(std::string_view text, std::array<std::uint8_t, 6>& out) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0 && text[i * 3 - 1] != ':') return false;
    if (!parse_hex({text.data() + i * 3, 2}, std::span(&out[i], 1))) return false;
  }
  return true;
}

bool parse_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != out.size() * 2) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

bool cut(std::string_view& text, char separator, std::string_view& head) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return false;
  head = {text.data(), at};
  text.remove_prefix(at + 1);
  return true;
}

}  // namespace images::runtime
