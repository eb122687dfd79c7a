#include "deploy/fleetctl/text.h"

#include "proto/units.h"

#include <array>
#include <cstdio>

namespace fleetctl {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // bytes; 0: not UTF-8 here
};

// One code point by RFC 3629; overlong forms and surrogates are not UTF-8.
CodePoint decode(std::string_view text) {
  const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (length == 0 || text.size() < length) return {};
  std::uint32_t value = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {};
  return {value, length};
}

bool is_combining(std::uint32_t c) {
  return (c >= 0x300 && c < 0x370) || (c >= 0x200b && c <= 0x200d) || (c >= 0xfe00 && c <= 0xfe0f);
}

bool is_wide(std::uint32_t c) {
  return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
         (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0xff00 && c <= 0xff60) || (c >= 0x1f300 && c <= 0x1faff);
}

// C0, DEL, C1, line separators, and the marks that reorder what a reader sees.
bool is_dangerous(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
         c == 0x200f || c == 0xfeff;
}

std::string hex_escape(std::uint8_t byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\x%02x", static_cast<unsigned>(byte));
  return text.data();
}

std::string fixed(double value, int decimals) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

struct Unit {
  const char* name;
  double bytes;
};

Unit unit_of(std::uint64_t bytes) {
  if (bytes < 1024) return {"B", 1};
  if (bytes < 1024 * 1024) return {"KiB", 1024};
  if (bytes < 1024ull * 1024 * 1024) return {"MiB", 1024.0 * 1024};
  if (bytes < 1024ull * 1024 * 1024 * 1024) return {"GiB", 1024.0 * 1024 * 1024};
  return {"TiB", 1024.0 * 1024 * 1024 * 1024};
}

std::string number_in(std::uint64_t bytes, const Unit& unit) {
  const double value = static_cast<double>(bytes) / unit.bytes;
  if (unit.bytes > 1024 && value < 9.95) {
    const std::string text = fixed(value, 1);
    if (!text.ends_with(".0")) return text;
  }
  return fixed(value, 0);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (point.length == 0) {
      columns += 1;
      text.remove_prefix(1);
      continue;
    }
    if (!is_combining(point.value)) columns += is_wide(point.value) ? 2 : 1;
    text.remove_prefix(point.length);
  }
  return columns;
}

std::string pad(std::string_view text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return std::string(text) + std::string(columns > width ? columns - width : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
  const std::size_t width = display_width(text);
  return std::string(columns > width ? columns - width : 0, ' ') + std::string(text);
}

std::string size_of_text(std::uint64_t bytes, std::uint64_t of_bytes) {
  if (of_bytes < bytes) return proto::format_size_bytes(bytes);
  const Unit unit = unit_of(of_bytes);
  return number_in(bytes, unit) + "/" + number_in(of_bytes, unit) + " " + unit.name;
}

std::string age_text(std::uint64_t ms) {
  const std::uint64_t seconds = ms / 1000;
  if (seconds < 60) return std::to_string(seconds) + "s";
  const std::uint64_t minutes = seconds / 60;
  if (minutes < 60) return std::to_string(minutes) + "m";
  if (minutes < 24 * 60) {
    const std::string hours = std::to_string(minutes / 60) + "h";
    return minutes % 60 == 0 ? hours : hours + std::to_string(minutes % 60) + "m";
  }
  return std::to_string(minutes / (24 * 60)) + "d";
}

std::string count_text(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode(text);
    const std::size_t length = point.length == 0 ? 1 : point.length;
    if (point.value == '\t') {
      out += "    ";
    } else if (point.length == 0 || is_dangerous(point.value)) {
      for (std::size_t i = 0; i < length; ++i)
        out += hex_escape(static_cast<std::uint8_t>(text[i]));
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string short_digest(std::string_view hex) { return std::string(hex.substr(0, 8)); }

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += between;
    out += part;
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
  }
  return parts;
}

}  // namespace fleetctl
