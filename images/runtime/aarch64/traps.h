// Faults of the CPU. A fault is always our own mistake: it is told on the console and ends the
// guest as aborted. Interrupts are never taken: they are masked, and only wake a sleeping CPU.
#pragma once

namespace images::runtime::arm64 {

/// From here on a fault is told.
void start_traps();

}  // namespace images::runtime::arm64
