// Time: the CPU's virtual counter, and a sleep that its timer ends.
#pragma once

#include <cstdint>

namespace images::runtime::arm64 {

/// The timer's interrupt (Arm BSA: the virtual timer of EL1).
inline constexpr std::uint32_t kTimerInterrupt = 27;

/// Panics if the machine does not say how fast its counter is.
void start_clock();

std::uint64_t clock_ms();

/// Raise the timer's interrupt at that time, or in 3 s if that is later; at once if it is past.
void start_timer(std::uint64_t deadline_ms);
void stop_timer();

}  // namespace images::runtime::arm64
