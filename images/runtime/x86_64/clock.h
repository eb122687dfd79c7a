// Time: the TSC, its rate measured at boot against the PIT, and a sleep that the timer ends.
#pragma once

#include <cstdint>

namespace images::runtime::x86 {

/// Measure; takes about 5 ms. Panics if there is no PIT to measure against. Needs start_apic().
void start_clock();

std::uint64_t clock_ms();

/// Set the timer to interrupt at that time, or in 3 s if that is later; at once if it is past.
void wake_at(std::uint64_t deadline_ms);

}  // namespace images::runtime::x86
