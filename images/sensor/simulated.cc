#include "images/sensor/simulated.h"

namespace images::sensor {

Decimal simulated_reading(Decimal low, Decimal high, std::uint64_t now_ms) {
  constexpr std::int64_t kHalfMs = 30'000;
  const auto phase = static_cast<std::int64_t>(now_ms % (2 * kHalfMs));
  const std::int64_t up = phase < kHalfMs ? phase : 2 * kHalfMs - phase;
  // In this order: a swing of 2 * 10^15 thousandths times 30,000 would not fit.
  const std::int64_t swing = high.thousandths - low.thousandths;
  return {low.thousandths + swing / kHalfMs * up + swing % kHalfMs * up / kHalfMs};
}

}  // namespace images::sensor
