// What the sensor tells machines: /metrics and /healthz.
#pragma once

#include <cstdint>

#include "images/runtime/arena.h"
#include "images/sensor/broker.h"

namespace images::sensor {

/// All since the guest's start.
struct Counters {
  std::uint64_t readings = 0;   // that were taken
  std::uint64_t rejected = 0;   // out of bounds, or a spike
  std::uint64_t malformed = 0;  // words of the serial line that were no reading
  std::uint64_t buffered = 0;   // messages that wait now
  std::uint64_t lost = 0;
  std::uint64_t up_ms = 0;
  BrokerCounters broker;
};

/// Serve both pages. /healthz says ok also while the broker is away: what is read meanwhile waits.
/// False: the port could not be opened, or no memory is left.
bool serve_counters(std::uint16_t port, Counters (*count)(), runtime::Arena& memory);

}  // namespace images::sensor
