// The one line of JSON that tells why a guest ended. The agent reads it; people read the same facts
// in words.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/tenders/text.h"
#include "agent/tenders/trap.h"
#include "proto/code.h"

namespace tenders {

struct ExitReport {
  std::string_view monitor;  // "fleet-spt"
  /// guest_exit | guest_abort | monitor_fault | killed_by_limit | ordered
  proto::Code reason = proto::Code::monitor_fault;
  int status = 0;            // the guest's own; 0 if it did not say one
  int signal = 0;            // that ended it; 0: none
  std::string_view what;     // a sentence, without a full stop
  Trap trap;                 // an abort's registers, as far as they are known
};

/// {"monitor":...,"reason":...,"status":...,"signal":...,"what":...[,"trap":{"kind":...,
/// "pc":"0x...","address":"0x...","registers":{"rip":"0x...",...}}]} and a newline. Of a trap, what
/// is not known is left out.
Text to_json(const ExitReport& report);

}  // namespace tenders
