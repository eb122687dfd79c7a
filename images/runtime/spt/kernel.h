// The few system calls that an spt guest may make.
#pragma once

#include <cstdint>

#include "images/abi/solo5.h"

namespace images::runtime::spt {

inline constexpr int kConsole = 1;

/// Nanoseconds of a clock: 0 wall time, 1 monotonic.
std::uint64_t clock_ns(int clock);

/// Sleep until a device of the wait set is readable or the monotonic clock reaches the deadline.
void wait_until(const abi::SptBootInfo& boot, std::uint64_t deadline_ns);

[[noreturn]] void leave(int status);

}  // namespace images::runtime::spt
