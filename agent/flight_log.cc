#include "agent/flight_log.h"

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "ota/hash.h"
#include "proto/limits.h"

namespace agent {
namespace {

using fleet::v1::FlightRecord;
using ota::Database;
using ota::Statement;
using ota::Transaction;
using proto::Result;
using proto::Status;

// `number` rises with every fault; `due` is the count at which a record was last to be sent, 0 once
// the controller has it.
constexpr std::string_view kFirst = R"sql(
CREATE TABLE flights (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app TEXT NOT NULL,
  due INTEGER NOT NULL,
  record BLOB NOT NULL);
)sql";
constexpr std::array kSteps = {kFirst};

struct Kept {
  std::int64_t number = 0;
  std::uint64_t due = 0;
  FlightRecord record;
};

// The next row of a statement that selects number, due, record.
Result<std::optional<Kept>> read(Statement& rows) {
  TRY(const bool found, rows.step());
  if (!found) return std::optional<Kept>();
  Kept kept;
  kept.number = rows.integer(0);
  kept.due = rows.unsigned_integer(1);
  const std::vector<std::byte> bytes = rows.bytes(2);
  if (!kept.record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return proto::Error{proto::Code::io, "agent.db: a flight record cannot be read", ""};
  }
  return std::optional<Kept>(std::move(kept));
}

Result<std::optional<FlightRecord>> record_of(Statement& rows) {
  TRY(auto kept, read(rows));
  if (!kept) return std::optional<FlightRecord>();
  return std::optional<FlightRecord>(std::move(kept->record));
}

bool explains_a_report(const FlightRecord& record) {
  return record.outcome() != fleet::v1::FLIGHT_RESTARTED &&
         record.outcome() != fleet::v1::FLIGHT_ENDED;
}

Status trim(Transaction& transaction, std::string_view app) {
  Statement of_app(transaction,
                   "DELETE FROM flights WHERE app = ? AND number NOT IN "
                   "(SELECT number FROM flights WHERE app = ? ORDER BY number DESC LIMIT ?)",
                   app, app, proto::kFlightsPerApp);
  TRY_VOID(of_app.run());
  Statement of_all(transaction,
                   "DELETE FROM flights WHERE number NOT IN "
                   "(SELECT number FROM flights ORDER BY number DESC LIMIT ?)",
                   proto::kFlightsPerDevice);
  return of_all.run();
}

}  // namespace

const ota::Schema kFlightSchema{"flights", kSteps};

Status FlightLog::keep(Transaction& transaction, FlightRecord record) {
  FLEET_ASSERT(record.outcome() != fleet::v1::FLIGHT_OUTCOME_UNSPECIFIED);
  Statement newest(transaction,
                   "SELECT number, due, record FROM flights WHERE app = ? "
                   "ORDER BY number DESC LIMIT 1", record.app());
  TRY(const auto before, read(newest));
  const bool again = before && before->record.release() == record.release() &&
                     before->record.why().fingerprint() == record.why().fingerprint();
  std::uint64_t due = 0;
  record.set_count(1);
  record.set_id(ota::random_id());
  if (again) {
    record.set_id(before->record.id());
    record.set_count(before->record.count() + 1);
    record.set_first_ms(before->record.first_ms());
    due = before->due;
    Statement replaced(transaction, "DELETE FROM flights WHERE number = ?", before->number);
    TRY_VOID(replaced.run());
  }
  const bool doubled = (record.count() & (record.count() - 1)) == 0;
  if (doubled || explains_a_report(record)) due = record.count();
  const std::string bytes = record.SerializeAsString();
  Statement insert(transaction, "INSERT INTO flights (id, app, due, record) VALUES (?, ?, ?, ?)",
                   record.id(), record.app(), due,
                   std::as_bytes(std::span(bytes.data(), bytes.size())));
  TRY_VOID(insert.run());
  return trim(transaction, record.app());
}

Result<std::optional<FlightRecord>> FlightLog::next_due(Database& database) {
  Statement rows(database,
                 "SELECT number, due, record FROM flights WHERE due > 0 ORDER BY number LIMIT 1");
  return record_of(rows);
}

Status FlightLog::acknowledge(Database& database, const fleet::v1::FlightAck& ack) {
  Statement done(database, "UPDATE flights SET due = 0 WHERE id = ? AND due <= ?", ack.id(),
                 ack.count());
  return done.run();
}

Result<std::uint64_t> FlightLog::count(Database& database) {
  Statement row(database, "SELECT count(*) FROM flights");
  TRY_VOID(row.step());
  return row.unsigned_integer(0);
}

Result<std::optional<FlightRecord>> FlightLog::newest(Database& database) {
  Statement rows(database,
                 "SELECT number, due, record FROM flights ORDER BY number DESC LIMIT 1");
  return record_of(rows);
}

}  // namespace agent
