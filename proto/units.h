// Times, sizes, rates and percents as people write and read them (UX A).
// M is MiB and G is GiB, as in cf; a bare number is an error that names the unit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace proto {

/// `250ms`, `2s`, `10m`, `24h`, `7d`: one whole number with one unit. `0` alone is 0.
/// errors bad_argument: "10 has no unit; write 10s or 10ms" | "10x is no time; ..."
Result<std::uint64_t> parse_duration_ms(std::string_view text);
/// `512B`, `64K`, `16M`, `1G`, also `KiB MiB GiB Ki Mi Gi`. `0` alone is 0.
/// errors bad_argument: "16 has no unit; write 16M or 16K"
Result<std::uint64_t> parse_size_bytes(std::string_view text);
/// `16K/s`, bytes per second. errors bad_argument
Result<std::uint64_t> parse_rate_bytes(std::string_view text);
/// `50%`, up to 10000%. errors bad_argument: "50 has no unit; write 50%"
Result<std::uint32_t> parse_percent(std::string_view text);

/// A stretch of every day, in minutes since its midnight. One that ends before it begins goes over
/// midnight.
struct DayWindow {
  bool any = true;  // all day; the rest means nothing then
  int from_minute = 0;
  int to_minute = 0;  // the first minute behind it, 1..1440

  bool holds(int minute) const;
};
/// `any` or `02:00-04:00`, `22:30-24:00`. errors bad_argument
Result<DayWindow> parse_day_window(std::string_view text);

/// As the manifest writes it, the largest unit that is exact: "250ms", "10m", "24h", "0s".
std::string format_duration_ms(std::uint64_t ms);
/// Elapsed time for people: "0.29s", "10.6s", "33m12s", "3h12m", "9d".
std::string format_elapsed_ms(std::uint64_t ms);
/// Always with a binary unit: "412 KiB", "16 MiB", "1.2 MiB", "3.4 GiB", "12 B".
std::string format_size_bytes(std::uint64_t bytes);
/// As the manifest writes it: "16M", "412K", "1000B".
std::string format_size_short(std::uint64_t bytes);

}  // namespace proto
