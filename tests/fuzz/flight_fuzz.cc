// Any bytes as a device's flight record: what passes the controller's bounds is small, is a file's
// name, and reaches a terminal as text alone.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>

#include "controller/report_bounds.h"
#include "deploy/fleetctl/flights.h"
#include "proto/limits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const google::protobuf::LogSilencer quiet;
  fleet::v1::FlightList list;
  fleet::v1::FlightRecord& record = *list.add_flights()->mutable_record();
  if (!record.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto checked = controller::check_flight(record);
  FLEET_ASSERT(checked || !checked.error().what.empty());
  if (checked) {
    FLEET_ASSERT(record.ByteSizeLong() <= proto::kFlightRecordBytes);
    FLEET_ASSERT((record.app() + record.id()).find_first_of("/.") == std::string::npos);
  }
  for (const std::string& line : fleetctl::flight_lines(list, 0)) {
    for (const char c : line) FLEET_ASSERT(static_cast<unsigned char>(c) >= 0x20);
  }
  return 0;
}
