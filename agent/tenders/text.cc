#include "agent/tenders/text.h"

namespace tenders {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void Text::add(Hex number) {
  constexpr char kDigits[] = "0123456789abcdef";
  add("0x");
  bool started = false;
  for (int shift = 60; shift >= 0; shift -= 4) {
    const auto digit = static_cast<std::size_t>((number.value >> shift) & 0xf);
    started = started || digit != 0 || shift == 0;
    if (started) add(std::string_view(&kDigits[digit], 1));
  }
}

void Text::add(Foreign foreign) {
  for (const char c : foreign.text) {
    const char shown = c >= ' ' && c <= '~' ? c : '?';
    add(std::string_view(&shown, 1));
  }
}

void Text::add_unsigned(std::uint64_t number) {
  char digits[20];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count > 0) add(std::string_view(&digits[--count], 1));
}

void Text::add_signed(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  if (number < 0) add("-");
  add_unsigned(number < 0 ? 0 - bits : bits);
}

bool parse_number(std::string_view text, std::uint64_t max, std::uint64_t& out) {
  if (text.empty()) return false;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (max - digit) / 10 || digit > max) return false;
    value = value * 10 + digit;
  }
  out = value;
  return true;
}

bool parse_mac(std::string_view text, std::span<std::uint8_t, 6> out) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':')) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace tenders
