// lwIP on the platform's network device: one interface, polled by run().
#pragma once

#include <cstdint>
#include <string_view>

#include "images/runtime/config.h"

namespace images::runtime::net {

/// Bring lwIP and its interface up. The device is open, the random generator is seeded. The
/// interface's address is announced at once (gratuitous ARP).
void start(const InterfaceConfig& interface, std::string_view hostname);

/// Take in what waits, run due timers. Returns until when (monotonic_ms) nothing is to be done.
std::uint64_t poll();

}  // namespace images::runtime::net
