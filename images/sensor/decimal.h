// Numbers with three decimals, for guests that have integers only.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace images::sensor {

/// 21.5 is 21500 thousandths. What is parsed lies within +-10^12.
struct Decimal {
  std::int64_t thousandths = 0;
  auto operator<=>(const Decimal&) const = default;
};

/// [+-]DIGITS[.DIGITS], all of the text; digits behind the third are cut. False: it is not one, or
/// out of range.
[[nodiscard]] bool parse_decimal(std::string_view text, Decimal& out);

/// How far the two lie apart, never negative.
Decimal distance(Decimal a, Decimal b);

/// Where it goes: anything with add(), as runtime::Line.
template <typename Out>
void add_decimal(Out& out, Decimal number) {
  auto magnitude = static_cast<std::uint64_t>(number.thousandths);
  if (number.thousandths < 0) {
    out.add('-');
    magnitude = 0 - magnitude;
  }
  out.add(magnitude / 1000);
  const auto rest = static_cast<unsigned>(magnitude % 1000);
  if (rest == 0) return;
  out.add('.');
  out.add(static_cast<char>('0' + rest / 100));
  if (rest % 100 == 0) return;
  out.add(static_cast<char>('0' + rest / 10 % 10));
  if (rest % 10 != 0) out.add(static_cast<char>('0' + rest % 10));
}

}  // namespace images::sensor
