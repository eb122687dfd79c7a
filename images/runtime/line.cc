#include "images/runtime/line.h"

namespace images::runtime {

void Line::add(std::string_view text) {
  for (const char c : text) {
    if (size_ == kMaxBytes) return;
    const bool plain = c >= ' ' && c <= '~';
    buffer_[size_++] = plain ? c : '?';
  }
}

void Line::add(Hex number) {
  constexpr char kDigits[] = "0123456789abcdef";
  add("0x");
  bool started = false;
  for (int shift = 60; shift >= 0; shift -= 4) {
    const auto digit = static_cast<std::size_t>((number.value >> shift) & 0xf);
    started = started || digit != 0 || shift == 0;
    if (started) add(kDigits[digit]);
  }
}

void Line::add(Ipv4 address) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) add('.');
    add_unsigned(address.bytes[i]);
  }
}

void Line::add_unsigned(std::uint64_t number) {
  char digits[20];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count > 0) add(digits[--count]);
}

void Line::add_signed(std::int64_t number) {
  if (number < 0) add('-');
  const auto bits = static_cast<std::uint64_t>(number);
  add_unsigned(number < 0 ? 0 - bits : bits);
}

}  // namespace images::runtime
