// The trap frame in a tender's exit report. It comes from a process next to the guest: every text
// is bounded and checked, and what is not of the form is left out.
#pragma once

#include <optional>

#include "fleet/v1/link.pb.h"
#include "ota/json.h"

namespace monitors {

/// The member "trap" of an exit report: {"kind":"page fault","pc":"0x100abc","address":"0x0",
/// "registers":{"rip":"0x100abc"}}; pc, address and registers may be absent. None without a kind.
std::optional<fleet::v1::Trap> read_trap(const ota::Json& report);

}  // namespace monitors
