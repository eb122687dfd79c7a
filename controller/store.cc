#include "controller/store.h"

#include <stdexcept>

#include "controller/embedded.h"
#include "controller/store_sql.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using soci::into;
using soci::use;

// SQLite's own numbers; its header stays behind SOCI.
constexpr int kSqliteFull = 13;
constexpr int kSqliteConstraint = 19;

}  // namespace

Error store_error(const char* doing, const std::exception& exception) {
  Code code = Code::io;
  if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&exception)) {
    const int primary = sqlite->result() & 0xff;
    if (primary == kSqliteFull) code = Code::no_space;
    if (primary == kSqliteConstraint) code = Code::already_exists;
  }
  return Error{code, std::string("store, ") + doing + ": " + exception.what(), ""};
}

std::string as_json(const google::protobuf::Message& message) {
  auto text = proto::to_json(message, {.pretty = false, .defaults = false});
  if (!text) throw std::runtime_error(text.error().what);
  return std::move(*text);
}

void read_json(const std::string& text, google::protobuf::Message& message) {
  if (text.empty()) return;
  const Status status = proto::from_json(text, message);
  if (!status) throw std::runtime_error("a stored " + message.GetTypeName() + ": " +
                                        status.error().what);
}

Store::Store(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  auto session = std::make_unique<Session>();
  const Status opened = guard("opening", [&] {
    session->sql.open(soci::sqlite3, "dbname=\"" + path + "\" timeout=5 synchronous=full");
    std::string mode;
    session->sql << "PRAGMA journal_mode=WAL", into(mode);
    if (mode != "wal" && path != ":memory:") {
      throw std::runtime_error("the file system of " + path + " cannot hold a WAL database");
    }
    session->sql << "PRAGMA synchronous=FULL";
    session->sql << "PRAGMA trusted_schema=OFF";
    // What a push to thousands goes over again and again; an idle fleet fills none of it.
    session->sql << "PRAGMA cache_size=-4096";
  });
  if (!opened) return opened.error().with(path);
  std::unique_ptr<Store> store(new Store(std::move(session)));
  const Status migrated = store->migrate();
  if (!migrated) return migrated.error().with(path);
  const Status synced = store->sync_log();
  if (!synced) return synced.error().with(path);
  return store;
}

// What a process that died had written and not synced is read by the next one, and told to devices.
Status Store::sync_log() {
  auto* backend = static_cast<soci::sqlite3_session_backend*>(session_->sql.get_backend());
  sqlite_api::sqlite3_file* log = nullptr;
  sqlite_api::sqlite3_file_control(backend->conn_, "main", SQLITE_FCNTL_JOURNAL_POINTER,
                                   static_cast<void*>(&log));
  if (log == nullptr || log->pMethods == nullptr) return {};
  if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK) return {};
  return Error{Code::io, "syncing the log of the database", ""};
}

Result<std::int64_t> Store::schema_version() {
  return guard("reading the schema's version", [&]() -> std::int64_t {
    long long version = 0;
    session_->sql << "PRAGMA user_version", into(version);
    return version;
  });
}

Status Store::migrate() {
  TRY(const std::int64_t version, schema_version());
  const auto newest = static_cast<std::int64_t>(kSchemaFiles_count);
  if (version > newest) {
    return Error{Code::not_supported,
                 "written by a newer controller (schema " + std::to_string(version) +
                     ", this one knows " + std::to_string(newest) + "); start that one",
                 ""};
  }
  if (version == newest) return {};
  Transaction transaction(*this);
  for (std::int64_t step = version; step < newest; ++step) {
    const EmbeddedFile& file = kSchemaFiles[step];
    const Status done = guard(file.name, [&] {
      auto* backend = static_cast<soci::sqlite3_session_backend*>(session_->sql.get_backend());
      char* text = nullptr;
      // SOCI prepares one statement at a time; a schema file holds many.
      if (sqlite_api::sqlite3_exec(backend->conn_, std::string(file.text()).c_str(), nullptr,
                                   nullptr, &text) != 0) {
        const std::string what = text != nullptr ? text : "unknown";
        sqlite_api::sqlite3_free(text);
        throw std::runtime_error(what);
      }
    });
    if (!done) return done;
  }
  const Status marked = guard("marking the schema", [&] {
    session_->sql << "PRAGMA user_version = " + std::to_string(newest);
  });
  if (!marked) return marked;
  TRY_VOID(transaction.commit());
  proto::log_info("schema.migrated", {{"from", version}, {"to", newest}});
  return {};
}

Store::Transaction::Transaction(Store& store) : store_(store) {
  FLEET_ASSERT(!store.session_->in_transaction);
  begun_ = guard("beginning", [&] { store.session_->run("BEGIN IMMEDIATE"); });
  open_ = begun_.has_value();
  store.session_->in_transaction = open_;
}

Store::Transaction::~Transaction() {
  if (!open_) return;
  store_.session_->in_transaction = false;
  store_.forget_transaction();
  const Status undone = guard("rolling back", [&] { store_.session_->run("ROLLBACK"); });
  if (!undone) proto::log_error("store.not_rolled_back", {{"why", undone.error().what}});
}

Status Store::Transaction::commit() {
  if (!begun_) return begun_;
  FLEET_ASSERT(open_);
  TRY_VOID(store_.write_rollouts());
  TRY_VOID(guard("committing", [&] { store_.session_->run("COMMIT"); }));
  open_ = false;
  store_.session_->in_transaction = false;
  store_.working_.clear();
  store_.working_devices_.clear();
  store_.facts_of_transaction_.clear();
  return {};
}

// What was kept in memory of a transaction that leaves nothing.
void Store::forget_transaction() {
  working_.clear();
  working_devices_.clear();
  last_event_.reset();
  for (const std::string& id : facts_of_transaction_) {
    facts_.erase(id);
    if (changed_devices_) changed_devices_->insert(id);
  }
  facts_of_transaction_.clear();
}

Status Store::set_setting(std::string_view name, std::string_view value) {
  const std::string n(name);
  const std::string v(value);
  return guard("writing a setting", [&] {
    session_->run("INSERT INTO settings (name, value) VALUES (:n, :v) ON CONFLICT (name) DO "
                  "UPDATE SET value = excluded.value",
                  use(n), use(v));
  });
}

Result<std::optional<std::string>> Store::setting(std::string_view name) {
  const std::string n(name);
  return guard("reading a setting", [&]() -> std::optional<std::string> {
    std::string value;
    const bool found = session_->run("SELECT value FROM settings WHERE name = :n", use(n),
                                     into(value));
    if (!found) return std::nullopt;
    return value;
  });
}

Status Store::add_enroll_token(const EnrollTokenRow& token) {
  return guard("adding an enrolment token", [&] {
    v1::LabelChange labels;
    for (const auto& [name, value] : token.labels) (*labels.mutable_set())[name] = value;
    const std::string text = as_json(labels);
    const long long uses = token.uses;
    const long long expires = token.expires_ms;
    const long long created = token.created_ms;
    session_->run("INSERT INTO enroll_tokens (id, hash, group_name, labels_json, uses, "
                  "expires_ms, by_name, created_ms) VALUES (:i,:h,:g,:l,:u,:e,:b,:c)",
                  use(token.id), use(token.hash), use(token.group), use(text), use(uses),
                  use(expires), use(token.by), use(created));
  });
}

Result<std::optional<EnrollTokenRow>> Store::enroll_token(std::string_view hash) {
  return guard("reading an enrolment token", [&]() -> std::optional<EnrollTokenRow> {
    EnrollTokenRow token;
    token.hash = std::string(hash);
    std::string labels_text;
    long long uses = 0;
    long long expires = 0;
    long long created = 0;
    const bool found = session_->run("SELECT id, group_name, labels_json, uses, expires_ms, "
                                     "by_name, created_ms FROM enroll_tokens WHERE hash = :h",
                                     use(token.hash), into(token.id), into(token.group),
                                     into(labels_text), into(uses), into(expires), into(token.by),
                                     into(created));
    if (!found) return std::nullopt;
    v1::LabelChange labels;
    read_json(labels_text, labels);
    for (const auto& [name, value] : labels.set()) token.labels[name] = value;
    token.uses = uses;
    token.expires_ms = expires;
    token.created_ms = created;
    return token;
  });
}

Result<std::optional<std::string>> Store::enroll_use(std::string_view token_id,
                                                     std::string_view public_key) {
  const std::string t(token_id);
  const std::string k(public_key);
  return guard("reading a token's use", [&]() -> std::optional<std::string> {
    std::string device;
    const bool found = session_->run("SELECT device_id FROM enroll_uses WHERE token_id = :t AND "
                                     "public_key = :k",
                                     use(t), use(k), into(device));
    if (!found) return std::nullopt;
    return device;
  });
}

Result<std::int64_t> Store::enroll_use_count(std::string_view token_id) {
  const std::string t(token_id);
  return guard("counting a token's uses", [&]() -> std::int64_t {
    long long count = 0;
    session_->run("SELECT COUNT(*) FROM enroll_uses WHERE token_id = :t", use(t), into(count));
    return count;
  });
}

Status Store::add_enroll_use(std::string_view token_id, std::string_view public_key,
                             std::string_view device_id) {
  const std::string t(token_id);
  const std::string k(public_key);
  const std::string d(device_id);
  return guard("adding a token's use", [&] {
    session_->run("INSERT INTO enroll_uses (token_id, public_key, device_id) VALUES (:t,:k,:d)",
                  use(t), use(k), use(d));
  });
}

Result<std::optional<IdempotentPush>> Store::idempotent_push(std::string_view key) {
  const std::string k(key);
  return guard("reading an idempotency key", [&]() -> std::optional<IdempotentPush> {
    IdempotentPush push;
    long long number = 0;
    const bool found = session_->run("SELECT request_sha256, rollout FROM idempotency "
                                     "WHERE key = :k",
                                     use(k), into(push.request_sha256), into(number));
    if (!found) return std::nullopt;
    push.rollout = number;
    return push;
  });
}

Status Store::add_idempotent_push(std::string_view key, const IdempotentPush& push,
                                  std::int64_t now_ms) {
  const std::string k(key);
  const long long number = push.rollout;
  const long long now = now_ms;
  return guard("adding an idempotency key", [&] {
    session_->run("INSERT INTO idempotency (key, request_sha256, rollout, created_ms) VALUES "
                  "(:k,:h,:r,:t)",
                  use(k), use(push.request_sha256), use(number), use(now));
  });
}

}  // namespace controller
