// The local interrupt controller with its timer, and the one that devices raise lines on.
#pragma once

#include <cstdint>

namespace images::runtime::x86 {

/// Switch the old controller off and the local one on. Interrupts stay off.
void start_apic();

/// Route a device's line (0..23) to kDeviceVector, edge-triggered, on this CPU.
void route_line(std::uint32_t line);

void end_of_interrupt();

/// One interrupt at kTimerVector after so many counts of the timer (1..2^32-1).
void start_timer(std::uint32_t counts);

/// What is left of the counts.
std::uint32_t timer_counts_left();

}  // namespace images::runtime::x86
