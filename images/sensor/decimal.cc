#include "images/sensor/decimal.h"

namespace images::sensor {
namespace {

constexpr std::int64_t kMostUnits = 1'000'000'000'000;

bool take_digits(std::string_view& text, std::int64_t& units) {
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    units = units * 10 + (text.front() - '0');
    if (units > kMostUnits) return false;
    text.remove_prefix(1);
    any = true;
  }
  return any;
}

}  // namespace

bool parse_decimal(std::string_view text, Decimal& out) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t units = 0;
  if (!take_digits(text, units)) return false;
  std::int64_t thousandths = units * 1000;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (text.empty()) return false;
    std::int64_t weight = 100;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
      thousandths += weight * (text.front() - '0');
      weight /= 10;
    }
  }
  if (!text.empty()) return false;
  out.thousandths = negative ? -thousandths : thousandths;
  return true;
}

Decimal distance(Decimal a, Decimal b) {
  return {a < b ? b.thousandths - a.thousandths : a.thousandths - b.thousandths};
}

}  // namespace images::sensor
