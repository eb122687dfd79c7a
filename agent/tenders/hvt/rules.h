// The system calls that fleet-hvt itself may make while its guest runs.
#pragma once

#include "agent/tenders/filter.h"
#include "agent/tenders/hvt/kvm.h"
#include "agent/tenders/options.h"
#include "agent/tenders/wait_set.h"

namespace tenders::hvt {

/// All of them, and the end of the filter. False: too many devices for one filter.
[[nodiscard]] bool add_rules(const Vm& vm, const Options& options, const Devices& devices,
                             const WaitSet& set, int stop_descriptor, Filter& filter);

}  // namespace tenders::hvt
