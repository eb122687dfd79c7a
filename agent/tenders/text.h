// Text of bounded length, and numbers out of text: for programs without a C library.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tenders {

/// A number shown in hexadecimal.
struct Hex {
  std::uint64_t value;
};

/// Text of others inside ours: control characters become '?', so that none draws on a terminal.
struct Foreign {
  std::string_view text;
};

/// Text under construction; what does not fit is cut.
class Text {
 public:
  static constexpr std::size_t kMaxBytes = 3000;  // an exit report with every register

  void add(std::string_view text) {
    for (const char c : text) {
      if (size_ < kMaxBytes) bytes_[size_++] = c;
    }
  }
  void add(const char* text) { add(std::string_view(text)); }
  void add(Hex number);
  void add(Foreign foreign);
  template <std::integral T>
  void add(T number) {
    if constexpr (std::signed_integral<T>) {
      add_signed(static_cast<std::int64_t>(number));
    } else {
      add_unsigned(static_cast<std::uint64_t>(number));
    }
  }
  template <typename... Parts>
  void add_all(const Parts&... parts) {
    (add(parts), ...);
  }

  std::string_view view() const { return {bytes_, size_}; }
  bool empty() const { return size_ == 0; }

 private:
  void add_unsigned(std::uint64_t number);
  void add_signed(std::int64_t number);

  char bytes_[kMaxBytes];
  std::size_t size_ = 0;
};

/// A decimal number 0..max, all of the text. False: it is not one.
[[nodiscard]] bool parse_number(std::string_view text, std::uint64_t max, std::uint64_t& out);

/// XX:XX:XX:XX:XX:XX. False: it is not that.
[[nodiscard]] bool parse_mac(std::string_view text, std::span<std::uint8_t, 6> out);

}  // namespace tenders
