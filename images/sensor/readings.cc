#include "images/sensor/readings.h"

#include <algorithm>

namespace images::sensor {
namespace {
constexpr std::string_view kBetween = " \t\r,;";
}

bool LineReader::ends_line(std::uint8_t byte) {
  if (byte == '\n') {
    const bool whole = !skipping_;
    if (skipping_) ++malformed_;
    skipping_ = false;
    if (!whole) size_ = 0;
    return whole;
  }
  if (size_ == line_.size()) skipping_ = true;
  if (!skipping_) line_[size_++] = static_cast<char>(byte);
  return false;
}

bool LineReader::next_pair(std::string_view& line, std::string_view& name, Decimal& value) {
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(kBetween), line.size()));
    if (line.empty()) return false;
    const std::size_t size = std::min(line.find_first_of(kBetween), line.size());
    const std::string_view word = line.substr(0, size);
    const bool first = word.data() == line_.data();
    line.remove_prefix(size);
    const std::size_t sign = word.find_first_of("=:");
    if (sign != std::string_view::npos && sign > 0 && parse_decimal(word.substr(sign + 1), value)) {
      name = word.substr(0, sign);
      return true;
    }
    const bool alone = first && line.find_first_not_of(kBetween) == std::string_view::npos;
    if (alone && parse_decimal(word, value)) {
      name = kLoneKey;
      return true;
    }
    ++malformed_;
  }
}

}  // namespace images::sensor
