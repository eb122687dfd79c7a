// What a serial line says: lines of NAME=VALUE, from any bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/sensor/decimal.h"

namespace images::sensor {

/// The key of a line that is a number and nothing else.
inline constexpr std::string_view kLoneKey = "value";

/// Cuts bytes into lines and lines into pairs "NAME=VALUE" or "NAME:VALUE", between blanks, commas
/// or semicolons. What is no pair is counted and passed over, and so is a line over 256 bytes.
class LineReader {
 public:
  /// Calls take(NAME, Decimal) for each pair of each line that these bytes end.
  template <typename Take>
  void feed(std::span<const std::uint8_t> bytes, Take&& take) {
    for (const std::uint8_t byte : bytes) {
      if (!ends_line(byte)) continue;
      std::string_view line(line_.data(), size_);
      std::string_view name;
      Decimal value;
      while (next_pair(line, name, value)) take(name, value);
      size_ = 0;
    }
  }

  /// Words that were no pair, and lines that were too long.
  std::uint64_t malformed() const { return malformed_; }

 private:
  bool ends_line(std::uint8_t byte);
  bool next_pair(std::string_view& line, std::string_view& name, Decimal& value);

  std::array<char, 256> line_{};
  std::size_t size_ = 0;
  bool skipping_ = false;
  std::uint64_t malformed_ = 0;
};

}  // namespace images::sensor
