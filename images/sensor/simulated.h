// A sensor that is none, for boards without one: it swings between two values in a minute.
#pragma once

#include <cstdint>

#include "images/sensor/decimal.h"

namespace images::sensor {

/// Its reading at a time of the guest's clock: low, up to high in 30 s, and back. low <= high.
Decimal simulated_reading(Decimal low, Decimal high, std::uint64_t now_ms);

}  // namespace images::sensor
