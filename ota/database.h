// Database: RAII over SQLite, the only door to sqlite3.h on a device. One connection per file; it
// throws nothing, and it never opens a file that fails SQLite's own check or that is newer than us.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ota {

using proto::Result;
using proto::Status;

/// The tables of one part of a program. `steps` are numbered by their place, from 1: step n brings
/// version n-1 to n. A step that was shipped is never edited; a change is a new step at the end.
struct Schema {
  std::string_view component;  // "slots"
  std::span<const std::string_view> steps;
};

/// One open database file. Neither copied nor moved; statements and transactions borrow it.
class Database {
 public:
  /// Opens or makes `path` (WAL, synchronous=FULL, foreign keys, trusted_schema off, cell checks),
  /// runs quick_check, then the missing steps of every schema, all in one transaction.
  /// ":memory:" is taken for tests.
  /// errors io (cannot be opened, or damaged: the text says what SQLite found) | no_space |
  ///        not_supported (written by a newer program: names component and both versions)
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                std::span<const Schema> schemas);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs SQL without values or rows. errors no_space | io
  Status execute(const std::string& sql);

 private:
  friend class Statement;
  friend class Transaction;
  explicit Database(sqlite3* handle) : handle_(handle) {}
  Status configure(const std::string& path);
  Status sync_log(const std::string& path);
  Status migrate(std::span<const Schema> schemas);
  proto::Error failed(std::string_view doing) const;

  sqlite3* handle_;
  bool in_transaction_ = false;
};

/// BEGIN IMMEDIATE ... COMMIT. Rolls back when it goes out of scope without commit(). If BEGIN
/// failed, every statement on it and commit() return that error, so nothing runs outside.
/// Transactions do not nest (a programmer error).
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  /// after  survives power loss. On error nothing of it was kept.
  Status commit();
  Database& database() { return database_; }
  const Status& begun() const { return begun_; }

 private:
  Database& database_;
  Status begun_;
  bool open_ = false;
};

/// One statement with its values bound: integers, bool, text, bytes, std::optional and nullptr.
/// A mistake in the SQL or the count of values is a programmer error and aborts.
///   Statement row(db, "SELECT name FROM t WHERE id = ?", id);
///   TRY(bool found, row.step());
class Statement {
 public:
  template <typename... Values>
  Statement(Database& database, std::string_view sql, const Values&... values)
      : Statement(database) {
    prepare(sql, sizeof...(Values));
    (bind(values), ...);
  }
  template <typename... Values>
  Statement(Transaction& transaction, std::string_view sql, const Values&... values)
      : Statement(transaction.database()) {
    if (!transaction.begun()) {
      state_ = transaction.begun();
      return;
    }
    prepare(sql, sizeof...(Values));
    (bind(values), ...);
  }
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Goes to the next row; false at the end. errors no_space | io | already_exists (a unique key)
  Result<bool> step();
  /// Runs to the end. errors as step()
  Status run();

  // Columns of the current row, counted from 0. Only after step() gave true.
  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const;  // a negative value reads as 0
  std::string text(int column) const;
  std::vector<std::byte> bytes(int column) const;
  bool is_null(int column) const;

 private:
  explicit Statement(Database& database) : database_(database) {}
  void prepare(std::string_view sql, std::size_t values);
  void bind_integer(std::int64_t value);
  void bind(std::nullptr_t);
  void bind(std::string_view value);
  void bind(std::span<const std::byte> value);
  template <std::integral Number>
  void bind(Number value) {
    // SQLite knows only signed 64 bits; a larger number is a programmer error.
    if constexpr (std::unsigned_integral<Number> && sizeof(Number) == 8) {
      FLEET_ASSERT(value <= std::uint64_t{INT64_MAX});
    }
    bind_integer(static_cast<std::int64_t>(value));
  }
  template <typename Value>
  void bind(const std::optional<Value>& value) {
    value ? bind(*value) : bind(nullptr);
  }

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
  Status state_;  // an error found before the first step
  int next_ = 1;  // the place of the next value
  bool on_row_ = false;
};

}  // namespace ota
