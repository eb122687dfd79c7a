// What a device may send at will, cut to what is kept: texts, lists, facts. Pure.
#pragma once

#include <cstddef>

#include "fleet/v1/link.pb.h"
#include "proto/result.h"

namespace controller {

inline constexpr std::size_t kMaxFactsBytes = 128 * 1024;

/// Cuts texts at a character's border and lists at their limits.
void bound_report(fleet::v1::Report& report);
/// True if inventory and apps are small enough to be kept as they are.
bool is_bounded(const fleet::v1::Telemetry& facts);
/// A print of all but what a device measures: memory, disk, time and load of processors.
std::size_t lasting_print(fleet::v1::Telemetry facts);

/// A flight record is whole or nothing. errors too_large | bad_argument, with the field's name
proto::Status check_flight(const fleet::v1::FlightRecord& record);

}  // namespace controller
