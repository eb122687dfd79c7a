// The guest's network: lwIP on the ports that have addresses, the appliance on those that have
// none; all polled by run().
#pragma once

#include <cstdint>

#include "images/runtime/config.h"

namespace images::runtime::net {

/// Bring lwIP and all interfaces of the config up. Their ports are open, the random generator is
/// seeded.
void start(const Config& config);

/// Take in what waits, run due timers. Returns until when (monotonic_ms) nothing is to be done.
std::uint64_t poll();

}  // namespace images::runtime::net
