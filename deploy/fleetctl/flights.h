// `fleetctl flights`: what is known of guests that failed, the same fault of many devices as one.
// Foreign bytes: shown as text only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct FlightOptions {
  std::string app;
  std::string device;         // "" = every device
  std::uint64_t release = 0;  // 0 = every release
  std::uint32_t last = 20;    // records, newest first
};
CommandResult show_flights(Program& program, const FlightOptions& options);

/// One piece of text per fault and release, the newest first: its newest record in full, then the
/// other records of it in a line each.
/// in     now_ms: wall time
std::vector<std::string> flight_lines(const fleet::v1::FlightList& list, std::uint64_t now_ms);

}  // namespace fleetctl
