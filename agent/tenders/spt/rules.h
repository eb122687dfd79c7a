// The system calls of an spt guest, each with the arguments that it may have (FORMATS 2b).
#pragma once

#include "agent/tenders/devices.h"
#include "agent/tenders/filter.h"
#include "agent/tenders/wait_set.h"

namespace tenders::spt {

/// All of them, and the end of the filter. False: too many devices for one filter.
[[nodiscard]] bool add_rules(const Devices& devices, const WaitSet& set, Filter& filter);

/// What only this CPU's guests need; in the CPU's folder.
void add_cpu_rules(Filter& filter);

}  // namespace tenders::spt
