// What the process beside an spt guest sees of it when a signal is about to end it: its registers.
// Only looks: no register, memory or signal of the guest is ever changed.
#pragma once

#include <cstdint>
#include <span>

#include "agent/tenders/filter.h"
#include "agent/tenders/trap.h"

namespace tenders::spt {

/// Look at our child from here on. A host may not allow it (Yama, a container's filter): then the
/// guest's end is told without registers, and all else is as ever.
void start_tracing(long child);

/// The system calls that pass_stop() makes. The last rules of their call.
void add_tracer_rules(long child, Filter& filter);

/// What is seen of a guest that a signal ends.
struct LastLook {
  Trap trap;
  int forbidden_call = -1;  // the system call that ended it; -1: none did
};

/// The child stands still because of this wait status: note why, and let it go on as if nobody
/// looked, which for a deadly signal is its end.
void pass_stop(long child, int wait_status, LastLook& look);

/// Names for the registers as the kernel hands them over (NT_PRSTATUS); by each CPU.
void take_registers(std::span<const std::uint64_t> registers, Trap& trap);

}  // namespace tenders::spt
