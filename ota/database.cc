// Database: open, check, migrate, bind and step.
#include "ota/database.h"

#include <sqlite3.h>

#include <cstring>

namespace ota {

using proto::Code;
using proto::Error;

namespace {

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL: return Code::no_space;
    case SQLITE_CONSTRAINT: return Code::already_exists;
    case SQLITE_NOMEM: return Code::no_memory;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::unavailable;
    default: return Code::io;
  }
}

constexpr const char* kVersionsTable =
    "CREATE TABLE IF NOT EXISTS schema_versions("
    "component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID";

}  // namespace

Error Database::failed(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(handle_);
  return Error{code_of(code), std::string(doing) + ": " + sqlite3_errmsg(handle_), {}};
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path,
                                                 std::span<const Schema> schemas) {
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open_v2(
      path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
      nullptr);
  if (handle == nullptr) return Error{Code::no_memory, "opening " + path + ": no memory", {}};
  std::unique_ptr<Database> database(new Database(handle));
  if (opened != SQLITE_OK) return database->failed("opening " + path);
  sqlite3_extended_result_codes(handle, 1);
  if (Status status = database->configure(path); !status) return status.error();
  if (Status status = database->migrate(schemas); !status) {
    return status.error().with("opening " + path);
  }
  return database;
}

Database::~Database() {
  FLEET_ASSERT(!in_transaction_);
  const int closed = sqlite3_close(handle_);
  FLEET_ASSERT(closed == SQLITE_OK);  // a statement outlived its database
}

Status Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failed("running \"" + sql.substr(0, 80) + "\"");
  }
  return {};
}

Status Database::configure(const std::string& path) {
  // mmap off, so that every write is seen by whoever watches the system calls. A second connection
  // (fleet-agent status, a backup) may hold the lock for a moment.
  static constexpr const char* kPragmas[] = {
      "PRAGMA cell_size_check=ON",  "PRAGMA trusted_schema=OFF", "PRAGMA mmap_size=0",
      "PRAGMA foreign_keys=ON",     "PRAGMA journal_mode=WAL",   "PRAGMA synchronous=FULL",
      "PRAGMA secure_delete=FAST"};
  sqlite3_busy_timeout(handle_, 2000);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  for (const char* pragma : kPragmas) {
    if (sqlite3_exec(handle_, pragma, nullptr, nullptr, nullptr) != SQLITE_OK) {
      return failed("opening " + path);
    }
  }
  Statement check(*this, "PRAGMA quick_check(1)");
  auto row = check.step();
  if (!row) return row.error().with("checking " + path);
  const std::string verdict = *row ? check.text(0) : "no answer";
  if (verdict != "ok") {
    return Error{Code::io, "checking " + path + ": the database is damaged (" + verdict +
                               "); restore it, or move it away to start anew", {}};
  }
  return sync_log(path);
}

// A process that died between writing a commit and syncing it left one that the next process reads,
// and that a power cut can still take away. What is read from here on is told to others.
Status Database::sync_log(const std::string& path) {
  sqlite3_file* log = nullptr;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
  if (log == nullptr || log->pMethods == nullptr) return {};
  if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK) {
    return Error{Code::io, "syncing " + path + "-wal", {}};
  }
  return {};
}

Status Database::migrate(std::span<const Schema> schemas) {
  Transaction transaction(*this);
  TRY_VOID(transaction.begun());
  TRY_VOID(execute(kVersionsTable));
  for (const Schema& schema : schemas) {
    Statement asked(transaction, "SELECT version FROM schema_versions WHERE component = ?",
                    schema.component);
    TRY(const bool known, asked.step());
    const std::uint64_t version = known ? asked.unsigned_integer(0) : 0;
    const std::string name(schema.component);
    if (version > schema.steps.size()) {
      return Error{Code::not_supported,
                   "its tables of \"" + name + "\" have version " + std::to_string(version) +
                       ", this program knows " + std::to_string(schema.steps.size()) +
                       ": install the newer program again", {}};
    }
    for (std::uint64_t step = version; step < schema.steps.size(); ++step) {
      if (Status done = execute(std::string(schema.steps[step])); !done) {
        return done.error().with("schema " + name + " step " + std::to_string(step + 1));
      }
    }
    Statement keep(transaction,
                   "INSERT INTO schema_versions(component, version) VALUES(?, ?) "
                   "ON CONFLICT(component) DO UPDATE SET version = excluded.version",
                   schema.component, schema.steps.size());
    TRY_VOID(keep.run());
  }
  return transaction.commit();
}

Transaction::Transaction(Database& database) : database_(database) {
  FLEET_ASSERT(!database_.in_transaction_);
  begun_ = database_.execute("BEGIN IMMEDIATE");
  open_ = begun_.has_value();
  database_.in_transaction_ = open_;
}

Transaction::~Transaction() {
  if (!open_) return;
  database_.in_transaction_ = false;
  // Some errors (disk full) have rolled back already; then there is nothing left to do.
  if (sqlite3_get_autocommit(database_.handle_) == 0) {
    sqlite3_exec(database_.handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

Status Transaction::commit() {
  if (!begun_) return begun_;
  FLEET_ASSERT(open_);
  if (sqlite3_get_autocommit(database_.handle_) != 0) {
    return Error{Code::io, "committing: an earlier error rolled the transaction back", {}};
  }
  TRY_VOID(database_.execute("COMMIT"));
  open_ = false;
  database_.in_transaction_ = false;
  return {};
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::prepare(std::string_view sql, std::size_t values) {
  const int prepared = sqlite3_prepare_v2(database_.handle_, sql.data(),
                                          static_cast<int>(sql.size()), &statement_, nullptr);
  if (prepared != SQLITE_OK) {
    const Error error = database_.failed("preparing \"" + std::string(sql.substr(0, 80)) + "\"");
    // SQLITE_ERROR is wrong SQL or a missing table: ours to mend, not the operator's.
    if (prepared == SQLITE_ERROR) std::fprintf(stderr, "%s\n", error.what.c_str());
    FLEET_ASSERT(prepared != SQLITE_ERROR);
    state_ = error;
    return;
  }
  FLEET_ASSERT(sqlite3_bind_parameter_count(statement_) == static_cast<int>(values));
}

void Statement::bind_integer(std::int64_t value) {
  if (statement_ == nullptr) return;
  if (sqlite3_bind_int64(statement_, next_++, value) != SQLITE_OK) {
    state_ = database_.failed("binding a number");
  }
}

void Statement::bind(std::nullptr_t) {
  if (statement_ == nullptr) return;
  if (sqlite3_bind_null(statement_, next_++) != SQLITE_OK) {
    state_ = database_.failed("binding null");
  }
}

void Statement::bind(std::string_view value) {
  if (statement_ == nullptr) return;
  // A null pointer would bind NULL; an empty text is not that.
  const char* data = value.data() == nullptr ? "" : value.data();
  if (sqlite3_bind_text64(statement_, next_++, data, value.size(), SQLITE_TRANSIENT,
                          SQLITE_UTF8) != SQLITE_OK) {
    state_ = database_.failed("binding text");
  }
}

void Statement::bind(std::span<const std::byte> value) {
  if (statement_ == nullptr) return;
  const void* data = value.data() == nullptr ? static_cast<const void*>("") : value.data();
  if (sqlite3_bind_blob64(statement_, next_++, data, value.size(), SQLITE_TRANSIENT) !=
      SQLITE_OK) {
    state_ = database_.failed("binding bytes");
  }
}

Result<bool> Statement::step() {
  on_row_ = false;
  if (!state_) return state_.error();
  FLEET_ASSERT(statement_ != nullptr);
  const int stepped = sqlite3_step(statement_);
  if (stepped == SQLITE_ROW) {
    on_row_ = true;
    return true;
  }
  if (stepped == SQLITE_DONE) return false;
  state_ = database_.failed("running \"" + std::string(sqlite3_sql(statement_)).substr(0, 80) +
                            "\"");
  return state_.error();
}

Status Statement::run() {
  while (true) {
    TRY(const bool more, step());
    if (!more) return {};
  }
}

std::int64_t Statement::integer(int column) const {
  FLEET_ASSERT(on_row_ && column >= 0 && column < sqlite3_column_count(statement_));
  return sqlite3_column_int64(statement_, column);
}

std::uint64_t Statement::unsigned_integer(int column) const {
  const std::int64_t value = integer(column);
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

std::string Statement::text(int column) const {
  FLEET_ASSERT(on_row_ && column >= 0 && column < sqlite3_column_count(statement_));
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

std::vector<std::byte> Statement::bytes(int column) const {
  FLEET_ASSERT(on_row_ && column >= 0 && column < sqlite3_column_count(statement_));
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return std::vector<std::byte>(data, data + size);
}

bool Statement::is_null(int column) const {
  FLEET_ASSERT(on_row_ && column >= 0 && column < sqlite3_column_count(statement_));
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

}  // namespace ota
