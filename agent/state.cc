#include "agent/state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <span>

#include "agent/flight_log.h"
#include "ota/slots.h"

namespace agent {
namespace {

using ota::Statement;
using ota::Transaction;
using proto::Result;
using proto::Status;

constexpr std::string_view kFirst = R"sql(
CREATE TABLE agent_values (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  ends_wish INTEGER NOT NULL,
  report BLOB NOT NULL);
CREATE TABLE agent_apps (
  app TEXT PRIMARY KEY,
  wish_done TEXT NOT NULL,
  restart_count INTEGER NOT NULL,
  state INTEGER NOT NULL,
  why BLOB NOT NULL) WITHOUT ROWID;
)sql";
constexpr std::string_view kSecond = R"sql(
CREATE TABLE yanked (
  app TEXT NOT NULL,
  release INTEGER NOT NULL,
  PRIMARY KEY (app, release)) WITHOUT ROWID;
)sql";
constexpr std::string_view kThird = R"sql(
ALTER TABLE agent_apps ADD COLUMN uplink TEXT NOT NULL DEFAULT '';
)sql";
constexpr std::array kSteps = {kFirst, kSecond, kThird};
constexpr std::size_t kAuditHashSize = 64;
constexpr ota::Schema kStateSchema{"agent", kSteps};

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string as_text(const std::vector<std::byte>& bytes) {
  std::string text(bytes.size(), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) text[i] = static_cast<char>(bytes[i]);
  return text;
}

proto::Error damaged(std::string_view what) {
  return proto::Error{proto::Code::io, "agent.db: " + std::string(what) + " cannot be read", ""};
}

bool ends_wish(fleet::v1::DeviceState state) {
  return state == fleet::v1::HEALTHY || state == fleet::v1::REVERTED ||
         state == fleet::v1::FAILED || state == fleet::v1::SUPERSEDED ||
         state == fleet::v1::STOPPED || state == fleet::v1::REMOVED || state == fleet::v1::HELD;
}

}  // namespace

std::string wish_key(const fleet::v1::DesiredApp& wish) {
  std::string key = wish.attempt() + "/" + std::to_string(static_cast<int>(wish.run())) + "/" +
                    std::to_string(wish.restart_count());
  if (wish.attempt().empty()) {
    key += "/" + std::to_string(wish.release()) + "/" + std::to_string(wish.fall_back());
  }
  // A map has no order of its own; one spelling per content is wanted.
  std::vector<std::string> overrides;
  for (const auto& [name, value] : wish.overrides()) {
    overrides.push_back("/" + std::to_string(name.size()) + name + "=" + value);
  }
  std::sort(overrides.begin(), overrides.end());
  for (const std::string& line : overrides) key += line;
  return key;
}

Result<std::unique_ptr<State>> State::open(const std::string& path) {
  const std::array schemas = {kStateSchema, ota::kSlotsSchema, kFlightSchema};
  TRY(auto database, ota::Database::open(path, schemas));
  return std::unique_ptr<State>(new State(std::move(database)));
}

Result<std::optional<std::string>> State::value(std::string_view key) {
  Statement row(*database_, "SELECT value FROM agent_values WHERE key = ?", key);
  TRY(const bool found, row.step());
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(as_text(row.bytes(0)));
}

Result<fleet::v1::Desired> State::desired() {
  TRY(const auto stored, value("desired"));
  fleet::v1::Desired desired;
  if (stored && !desired.ParseFromString(*stored)) return damaged("the stored Desired");
  return desired;
}

Result<bool> State::store_desired(const fleet::v1::Desired& desired) {
  TRY(const fleet::v1::Desired old, this->desired());
  if (desired.generation() <= old.generation()) return false;
  Transaction transaction(*database_);
  Statement put(transaction, "INSERT OR REPLACE INTO agent_values (key, value) VALUES (?, ?)",
                "desired", as_bytes(desired.SerializeAsString()));
  TRY_VOID(put.run());
  TRY_VOID(transaction.commit());
  return true;
}

Result<std::uint64_t> State::add_report(Transaction& transaction, fleet::v1::Report& report) {
  // AUTOINCREMENT never gives a number twice, also after its row was deleted.
  Statement insert(transaction, "INSERT INTO outbox (ends_wish, report) VALUES (?, ?)",
                   ends_wish(report.state()), as_bytes(std::string()));
  TRY_VOID(insert.run());
  Statement last(transaction, "SELECT last_insert_rowid()");
  TRY_VOID(last.step());
  report.set_sequence(last.unsigned_integer(0));
  Statement fill(transaction, "UPDATE outbox SET report = ? WHERE sequence = ?",
                 as_bytes(report.SerializeAsString()), report.sequence());
  TRY_VOID(fill.run());
  TRY_VOID(trim_outbox(transaction));
  ++counts_[{report.app(), report.state()}];
  return report.sequence();
}

Status State::trim_outbox(Transaction& transaction) {
  Statement count(transaction, "SELECT count(*) FROM outbox");
  TRY_VOID(count.step());
  if (count.unsigned_integer(0) <= kMaxOutbox) return {};
  Statement trim(transaction,
                 "DELETE FROM outbox WHERE sequence = "
                 "(SELECT sequence FROM outbox ORDER BY ends_wish, sequence LIMIT 1)");
  return trim.run();
}

Status State::amend_report(const fleet::v1::Report& report) {
  Statement fill(*database_, "UPDATE outbox SET report = ? WHERE sequence = ?",
                 as_bytes(report.SerializeAsString()), report.sequence());
  return fill.run();
}

Result<std::vector<fleet::v1::Report>> State::outbox(std::uint64_t after, std::size_t limit) {
  std::vector<fleet::v1::Report> reports;
  Statement rows(*database_,
                 "SELECT report FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?", after,
                 limit);
  while (true) {
    TRY(const bool found, rows.step());
    if (!found) break;
    fleet::v1::Report report;
    if (!report.ParseFromString(as_text(rows.bytes(0)))) return damaged("a report");
    reports.push_back(std::move(report));
  }
  return reports;
}

Status State::acknowledge(std::uint64_t sequence) {
  Statement remove(*database_, "DELETE FROM outbox WHERE sequence = ?", sequence);
  return remove.run();
}

Result<AppRow> State::app(std::string_view app) {
  AppRow row;
  Statement read(*database_,
                 "SELECT wish_done, restart_count, state, why, uplink "
                 "FROM agent_apps WHERE app = ?",
                 app);
  TRY(const bool found, read.step());
  if (!found) return row;
  row.wish_done = read.text(0);
  row.restart_count = static_cast<std::uint32_t>(read.unsigned_integer(1));
  const int state = static_cast<int>(read.integer(2));
  if (!fleet::v1::DeviceState_IsValid(state)) return damaged("the state of " + std::string(app));
  row.state = static_cast<fleet::v1::DeviceState>(state);
  if (!row.why.ParseFromString(as_text(read.bytes(3)))) return damaged("the reason");
  row.uplink = read.text(4);
  return row;
}

Status State::put_app(Transaction& transaction, std::string_view app, const AppRow& row) {
  Statement put(transaction,
                "INSERT OR REPLACE INTO agent_apps "
                "(app, wish_done, restart_count, state, why, uplink) VALUES (?, ?, ?, ?, ?, ?)",
                app, row.wish_done, row.restart_count, static_cast<int>(row.state),
                as_bytes(row.why.SerializeAsString()), row.uplink);
  return put.run();
}

Status State::remove_app(Transaction& transaction, std::string_view app) {
  Statement remove(transaction, "DELETE FROM agent_apps WHERE app = ?", app);
  return remove.run();
}

Result<State::TimeFloor> State::time_floor() {
  TRY(const auto stored, value("time_floor"));
  TimeFloor floor;
  if (!stored) return floor;
  const char* const text = stored->data();
  const auto [end, error] = std::from_chars(text, text + stored->size(), floor.unix_s);
  if (error != std::errc()) return damaged("the time floor");
  if (*end == ' ') floor.keys = stored->substr(static_cast<std::size_t>(end - text) + 1);
  return floor;
}

Status State::store_time_floor(const TimeFloor& floor) {
  return put_value("time_floor", std::to_string(floor.unix_s) + " " + floor.keys);
}

Status State::put_value(std::string_view key, const std::string& value) {
  Statement put(*database_, "INSERT OR REPLACE INTO agent_values (key, value) VALUES (?, ?)", key,
                as_bytes(value));
  return put.run();
}

Result<Yanked> State::yanked() {
  Yanked all;
  Statement rows(*database_, "SELECT app, release FROM yanked");
  while (true) {
    TRY(const bool found, rows.step());
    if (!found) break;
    all[rows.text(0)].insert(rows.unsigned_integer(1));
  }
  return all;
}

Status State::add_yanked(const Yanked& more) {
  Transaction transaction(*database_);
  for (const auto& [app, releases] : more) {
    for (const std::uint64_t release : releases) {
      Statement put(transaction, "INSERT OR IGNORE INTO yanked (app, release) VALUES (?, ?)", app,
                    release);
      TRY_VOID(put.run());
    }
  }
  return transaction.commit();
}

Result<fleet::v1::AuditHead> State::audit_head() {
  TRY(const auto stored, value("audit_head"));
  fleet::v1::AuditHead head;
  if (stored && !head.ParseFromString(*stored)) return damaged("the audit head");
  return head;
}

Status State::store_audit_head(const fleet::v1::AuditHead& head) {
  TRY(const fleet::v1::AuditHead kept, audit_head());
  if (head.sequence() <= kept.sequence() || head.hash().size() != kAuditHashSize) return {};
  return put_value("audit_head", head.SerializeAsString());
}

Result<std::uint64_t> State::news() {
  TRY(const auto stored, value("news"));
  std::uint64_t news = 0;
  if (!stored) return news;
  const auto [end, error] = std::from_chars(stored->data(), stored->data() + stored->size(), news);
  if (error != std::errc() || *end != '\0') return damaged("the news that were followed");
  return news;
}

Status State::store_news(std::uint64_t news) { return put_value("news", std::to_string(news)); }

}  // namespace agent
