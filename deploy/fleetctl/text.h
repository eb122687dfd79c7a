// Words for people: columns, ages, counts, and foreign bytes made harmless. Sizes and durations
// are proto/units.h's.
// Pure functions. Nothing from a guest, a device or a controller reaches a terminal without
// visible().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetctl {

/// Columns that UTF-8 text takes: one per code point, none for combining marks, two for wide ones.
std::size_t display_width(std::string_view text);

/// `text` with blanks behind it up to `columns`; longer text stays whole.
std::string pad(std::string_view text, std::size_t columns);
/// The same with the blanks in front.
std::string pad_left(std::string_view text, std::size_t columns);

/// "3.2/16 MiB": both in the unit of the second. The first alone if `of_bytes` is 0, or less: what
/// a monitor needs beside its guest is not held against the guest's memory.
std::string size_of_text(std::uint64_t bytes, std::uint64_t of_bytes);

/// How long ago or how long since, rounded for a table: "4s", "21m", "3h12m", "9d".
std::string age_text(std::uint64_t ms);

/// "1 device", "3 devices".
std::string count_text(std::uint64_t count, std::string_view noun);

/// One line of foreign text: control bytes, broken UTF-8 and characters that turn the direction of
/// writing become `\x1b` and the like; tabs become blanks. Everything else stays.
std::string visible(std::string_view text);

/// The first 8 digits of a digest or key id.
std::string short_digest(std::string_view hex);

std::string join(const std::vector<std::string>& parts, std::string_view between);
/// Pieces between the separator; "" gives none.
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace fleetctl
