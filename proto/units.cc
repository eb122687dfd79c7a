#include "proto/units.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace proto {
namespace {

struct Unit {
  std::string_view word;
  std::uint64_t factor;
};

constexpr std::uint64_t kSecondMs = 1000;
constexpr std::uint64_t kMinuteMs = 60 * kSecondMs;
constexpr std::uint64_t kHourMs = 60 * kMinuteMs;
constexpr std::uint64_t kDayMs = 24 * kHourMs;
constexpr int kDayMinutes = 24 * 60;
constexpr std::uint64_t kKi = 1024;
constexpr std::uint64_t kMi = 1024 * kKi;
constexpr std::uint64_t kGi = 1024 * kMi;

constexpr Unit kDurations[] = {
    {"ms", 1}, {"s", kSecondMs}, {"m", kMinuteMs}, {"h", kHourMs}, {"d", kDayMs}};
constexpr Unit kSizes[] = {{"B", 1},     {"K", kKi},  {"Ki", kKi}, {"KiB", kKi}, {"M", kMi},
                           {"Mi", kMi},  {"MiB", kMi}, {"G", kGi}, {"Gi", kGi},  {"GiB", kGi}};

Error bad(std::string what) { return Error{Code::bad_argument, std::move(what), ""}; }

struct Parts {
  std::string_view number;
  std::string_view unit;
};

Parts split(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  return {text.substr(0, digits), text.substr(digits)};
}

template <std::size_t N>
Result<std::uint64_t> parse(std::string_view text, const Unit (&units)[N], std::string_view noun,
                            std::string_view first, std::string_view second,
                            std::string_view examples) {
  const std::string shown(text.substr(0, 40));
  const Parts parts = split(text);
  if (parts.number.empty()) {
    return bad("\"" + shown + "\" is no " + std::string(noun) + "; write " + std::string(examples));
  }
  std::uint64_t number = 0;
  const char* end = parts.number.data() + parts.number.size();
  const bool fits = std::from_chars(parts.number.data(), end, number).ec == std::errc();
  if (fits && number == 0 && parts.unit.empty()) return std::uint64_t{0};
  if (parts.unit.empty()) {
    const std::string digits(parts.number.substr(0, 40));
    return bad(digits + " has no unit; write " + digits + std::string(first) + " or " + digits +
               std::string(second));
  }
  for (const Unit& unit : units) {
    if (unit.word != parts.unit) continue;
    if (!fits || number > std::numeric_limits<std::int64_t>::max() / unit.factor) {
      return bad(shown + " is too large");
    }
    return number * unit.factor;
  }
  return bad("\"" + shown + "\" is no " + std::string(noun) + "; write " + std::string(examples));
}

std::string print(const char* format, double value, const char* unit) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), format, value, unit);
  return text.data();
}

}  // namespace

Result<std::uint64_t> parse_duration_ms(std::string_view text) {
  return parse(text, kDurations, "time", "s", "ms", "250ms, 2s, 10m or 24h");
}

Result<std::uint64_t> parse_size_bytes(std::string_view text) {
  return parse(text, kSizes, "size", "M", "K", "64K, 16M or 1G");
}

Result<std::uint64_t> parse_rate_bytes(std::string_view text) {
  constexpr std::string_view kPerSecond = "/s";
  if (!text.ends_with(kPerSecond)) {
    const Parts parts = split(text);
    const std::string shown(text.substr(0, 40));
    if (!parts.number.empty() && parts.unit.empty()) {
      return bad(shown + " has no unit; write " + shown + "K/s");
    }
    return bad("\"" + shown + "\" is no rate; write it per second, like 16K/s");
  }
  return parse_size_bytes(text.substr(0, text.size() - kPerSecond.size()));
}

Result<std::uint32_t> parse_percent(std::string_view text) {
  constexpr Unit kPercent[] = {{"%", 1}};
  const Parts parts = split(text);
  const std::string shown(text.substr(0, 40));
  if (!parts.number.empty() && parts.unit.empty() && parts.number != "0") {
    return bad(shown + " has no unit; write " + shown + "%");
  }
  TRY(const std::uint64_t value, parse(text, kPercent, "percentage", "%", "%", "50%"));
  if (value > 10000) return bad(shown + " is too large");
  return static_cast<std::uint32_t>(value);
}

bool DayWindow::holds(int minute) const {
  if (any) return true;
  if (from_minute < to_minute) return minute >= from_minute && minute < to_minute;
  return minute >= from_minute || minute < to_minute;
}

Result<DayWindow> parse_day_window(std::string_view text) {
  if (text == "any") return DayWindow{};
  const auto number = [text](std::size_t at) {
    const bool digits = text[at] >= '0' && text[at] <= '9' && text[at + 1] >= '0' &&
                        text[at + 1] <= '9';
    return digits ? (text[at] - '0') * 10 + (text[at + 1] - '0') : 99;
  };
  if (text.size() == 11 && text[2] == ':' && text[5] == '-' && text[8] == ':') {
    const bool minutes = number(3) < 60 && number(9) < 60;
    const DayWindow window{false, number(0) * 60 + number(3), number(6) * 60 + number(9)};
    const bool on_the_day = window.from_minute < kDayMinutes && window.to_minute <= kDayMinutes;
    if (minutes && on_the_day && window.from_minute != window.to_minute && window.to_minute > 0) {
      return window;
    }
  }
  return bad("\"" + std::string(text.substr(0, 40)) +
             "\" is no window; write any or 02:00-04:00");
}

std::string format_duration_ms(std::uint64_t ms) {
  if (ms == 0) return "0s";
  // Hours are the largest word that the manifest's own examples use: 24h, not 1d.
  if (ms % kHourMs == 0) return std::to_string(ms / kHourMs) + "h";
  if (ms % kMinuteMs == 0) return std::to_string(ms / kMinuteMs) + "m";
  if (ms % kSecondMs == 0) return std::to_string(ms / kSecondMs) + "s";
  return std::to_string(ms) + "ms";
}

std::string format_elapsed_ms(std::uint64_t ms) {
  const double seconds = static_cast<double>(ms) / 1000;
  if (ms < 9995) return print("%.2f%s", seconds, "s");
  if (ms < 59950) return print("%.1f%s", seconds, "s");
  const std::uint64_t whole = (ms + 500) / 1000;
  std::array<char, 64> text{};
  if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%um%02us", static_cast<unsigned>(whole / 60),
                  static_cast<unsigned>(whole % 60));
  } else if (whole < 48 * 3600) {
    std::snprintf(text.data(), text.size(), "%uh%02um", static_cast<unsigned>(whole / 3600),
                  static_cast<unsigned>(whole / 60 % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%llud",
                  static_cast<unsigned long long>(whole / 86400));
  }
  return text.data();
}

std::string format_size_bytes(std::uint64_t bytes) {
  if (bytes < kKi) return std::to_string(bytes) + " B";
  std::uint64_t factor = kKi;
  const char* unit = "KiB";
  if (bytes >= kGi) {
    factor = kGi;
    unit = "GiB";
  } else if (bytes >= kMi) {
    factor = kMi;
    unit = "MiB";
  }
  const double value = static_cast<double>(bytes) / static_cast<double>(factor);
  const bool whole = bytes % factor == 0 || value >= 100;
  return print(whole ? "%.0f %s" : "%.1f %s", value, unit);
}

std::string format_size_short(std::uint64_t bytes) {
  if (bytes != 0 && bytes % kGi == 0) return std::to_string(bytes / kGi) + "G";
  if (bytes != 0 && bytes % kMi == 0) return std::to_string(bytes / kMi) + "M";
  if (bytes != 0 && bytes % kKi == 0) return std::to_string(bytes / kKi) + "K";
  return std::to_string(bytes) + "B";
}

}  // namespace proto
