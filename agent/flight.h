// Flight: what is known of a guest that failed, as one record. Pure; it decides nothing, and never
// takes more of a guest's text than the record may hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/app.h"
#include "agent/monitors/monitor.h"

namespace agent {

/// A guest at its end, or when it was judged.
struct FlightFacts {
  std::string_view app;
  const Guest& guest;
  std::optional<monitors::ExitReason> exit = {};  // none: it still runs, or is lost
  const HealthJudge* judge = nullptr;
  std::string console = {};                  // its last bytes
  std::uint64_t up_ms = 0;
  std::uint32_t restarts = 0;
  std::uint64_t wall_ms = 0;
};

/// The record, without outcome, id and count. `code` and `text` judge a guest that still runs;
/// unset and "" say what its exit says.
/// after  at most kFlightRecordBytes
fleet::v1::FlightRecord build_flight(const FlightFacts& facts, proto::Code code,
                                     std::string_view text);

/// The release of a wish failed before it had a guest.
fleet::v1::FlightRecord flight_without_guest(const fleet::v1::DesiredApp& wish,
                                             const proto::Error& error, std::uint64_t wall_ms);

}  // namespace agent
