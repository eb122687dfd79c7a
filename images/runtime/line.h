// One line of text under construction, of bounded length: for the console, and for what is sent.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::runtime {

/// A number shown in hexadecimal.
struct Hex {
  std::uint64_t value;
};

/// An IPv4 address in network byte order, as it lies in memory.
struct Ipv4 {
  std::uint8_t bytes[4];
};

/// An IPv6 address in network byte order, shown as RFC 5952 wants it.
struct Ipv6 {
  std::span<const std::uint8_t, 16> bytes;
};

/// One line under construction; what does not fit is cut. Control characters become '?', so that
/// bytes from outside cannot draw on a terminal.
class Line {
 public:
  void add(std::string_view text);
  void add(const char* text) { add(std::string_view(text)); }
  void add(char c) { add(std::string_view(&c, 1)); }
  void add(Hex number);
  void add(Ipv4 address);
  void add(Ipv6 address);
  template <std::integral T>
    requires(!std::same_as<T, char>)
  void add(T number) {
    if constexpr (std::signed_integral<T>) {
      add_signed(static_cast<std::int64_t>(number));
    } else {
      add_unsigned(static_cast<std::uint64_t>(number));
    }
  }
  std::string_view text() const { return {buffer_, size_}; }

 private:
  void add_hex(std::uint64_t number);
  void add_unsigned(std::uint64_t number);
  void add_signed(std::int64_t number);

  static constexpr std::size_t kMaxBytes = 400;
  char buffer_[kMaxBytes];
  std::size_t size_ = 0;
};

}  // namespace images::runtime
