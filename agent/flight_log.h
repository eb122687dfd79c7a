// FlightLog: the flight records that the device keeps in agent.db, across restarts of the agent,
// and which of them the controller has not got yet. The same fault in a row is one record.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fleet/v1/link.pb.h"
#include "ota/database.h"
#include "proto/result.h"

namespace agent {

/// The tables of this part, for Database::open.
extern const ota::Schema kFlightSchema;

struct FlightLog {
  /// Keeps a record with its outcome, inside the caller's transaction. The fault of the app's
  /// newest record once more, of the same release, raises the count of that one and takes its
  /// place. Beyond kFlightsPerApp and kFlightsPerDevice the oldest go.
  /// errors no_space | io
  static proto::Status keep(ota::Transaction& transaction, fleet::v1::FlightRecord record);

  /// The oldest record that is to be sent. errors io
  static proto::Result<std::optional<fleet::v1::FlightRecord>> next_due(ota::Database& database);
  /// The controller has the record as it was at that count, or will not take it.
  static proto::Status acknowledge(ota::Database& database, const fleet::v1::FlightAck& ack);

  /// How many are kept. errors io
  static proto::Result<std::uint64_t> count(ota::Database& database);
  static proto::Result<std::optional<fleet::v1::FlightRecord>> newest(ota::Database& database);
};

}  // namespace agent
