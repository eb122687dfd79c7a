#include "images/runtime/line.h"

#include <algorithm>
#include <array>

namespace images::runtime {

void Line::add(std::string_view text) {
  for (const char c : text) {
    if (size_ == kMaxBytes) return;
    const bool plain = c >= ' ' && c <= '~';
    buffer_[size_++] = plain ? c : '?';
  }
}

void Line::add_hex(std::uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  bool started = false;
  for (int shift = 60; shift >= 0; shift -= 4) {
    const auto digit = static_cast<std::size_t>((number >> shift) & 0xf);
    started = started || digit != 0 || shift == 0;
    if (started) add(kDigits[digit]);
  }
}

void Line::add(Hex number) {
  add("0x");
  add_hex(number.value);
}

void Line::add(Ipv4 address) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) add('.');
    add_unsigned(address.bytes[i]);
  }
}

void Line::add(Ipv6 address) {
  constexpr std::size_t kGroups = 8;
  std::array<unsigned, kGroups> groups{};
  std::array<std::size_t, kGroups + 1> zeros{};  // in a row from there on
  for (std::size_t i = kGroups; i-- > 0;) {
    groups[i] = address.bytes[2 * i] * 256U + address.bytes[2 * i + 1];
    zeros[i] = groups[i] == 0 ? zeros[i + 1] + 1 : 0;
  }
  // "::" for the longest row of at least two, the first of alike.
  const auto longest = std::max_element(zeros.begin(), zeros.end());
  const auto gap = static_cast<std::size_t>(longest - zeros.begin());
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (*longest >= 2 && i == gap) {
      add("::");
      i += *longest - 1;
      continue;
    }
    if (i > 0 && (*longest < 2 || i != gap + *longest)) add(':');
    add_hex(groups[i]);
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
