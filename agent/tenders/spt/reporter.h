// The process beside an spt guest that says afterwards why it ended. Only where a report was asked
// for: without, the tender itself becomes the guest, as Solo5's does.
#pragma once

#include <cstdint>

#include "agent/tenders/options.h"
#include "agent/tenders/spt/tracer.h"

namespace tenders::spt {

/// What wait4 says of a guest that ended.
struct Ended {
  int wait_status = 0;
  bool ordered = false;        // we were told to end it
  std::uint64_t user_us = 0;
  std::uint64_t system_us = 0;
  std::uint64_t resident_kib = 0;  // the most it had
  LastLook look;
};

/// Split in two. Returns in the process that becomes the guest. The other one jails itself, waits,
/// passes SIGTERM and SIGINT on (after the grace, as SIGKILL), reports, and ends like the guest.
/// For an exit report it also looks at the guest's registers when a signal ends it.
/// in  memory_bytes: the guest's memory, which the reporter unmaps
void split_reporter(const Options& options, std::uint64_t memory_bytes, std::uint64_t started_ns);

/// The report of such an end.
Text report_line(const Ended& ended);

}  // namespace tenders::spt
