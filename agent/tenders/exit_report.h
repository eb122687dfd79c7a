// The one line of JSON that tells why a guest ended. The agent reads it; people read the same facts
// in words.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/tenders/text.h"
#include "proto/code.h"

namespace tenders {

struct ExitReport {
  std::string_view monitor;  // "fleet-spt"
  /// guest_exit | guest_abort | monitor_fault | killed_by_limit | ordered
  proto::Code reason = proto::Code::monitor_fault;
  int status = 0;            // the guest's own; 0 if it did not say one
  int signal = 0;            // that ended it; 0: none
  std::string_view what;     // a sentence, without a full stop
  Text trap;                 // an abort's registers as a JSON object; empty: unknown
};

/// {"monitor":...,"reason":...,"status":...,"signal":...,"what":...[,"trap":{...}]} and a newline.
Text to_json(const ExitReport& report);

}  // namespace tenders
