// For store*.cc alone: the SOCI session, its statements, and the fence where its exceptions become
// errors.
#pragma once

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "controller/store.h"
#include "proto/json.h"

namespace controller {

struct Store::Session {
  soci::session sql;
  bool in_transaction = false;
  // Prepared, by text. Behind the session: SQLite closes no file that has statements.
  std::unordered_map<std::string, std::unique_ptr<soci::statement>> kept;

  /// Runs a statement up to its first row. out: whether it gave one
  template <typename... Bound>
  bool run(const std::string& text, const Bound&... bound);
};

/// One statement while it runs. It is prepared once and kept by its text, as SQLite takes longer to
/// read a text than to find a row; so its texts are few, and values are bound.
class Statement {
 public:
  Statement(Store::Session& session, std::string text)
      : session_(session), text_(std::move(text)), statement_(std::move(session.kept[text_])) {
    if (statement_ != nullptr) return;
    statement_ = std::make_unique<soci::statement>(session.sql);
    statement_->alloc();
    statement_->prepare(text_);
  }
  /// One that failed is not kept.
  ~Statement() {
    if (std::uncaught_exceptions() > exceptions_) return;
    const auto* backend = static_cast<soci::sqlite3_statement_backend*>(statement_->get_backend());
    sqlite_api::sqlite3_reset(backend->stmt_);
    statement_->bind_clean_up();
    session_.kept[text_] = std::move(statement_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// in     use() and into(), each in the order of the text; what they name outlives this
  template <typename... Bound>
  void bind(const Bound&... bound) {
    (statement_->exchange(bound), ...);
  }
  /// Then fetch() gives the rows.
  template <typename... Bound>
  void start(const Bound&... bound) {
    bind(bound...);
    statement_->define_and_bind();
    statement_->execute();
  }
  bool fetch() { return statement_->fetch(); }
  bool first_row() {
    statement_->define_and_bind();
    return statement_->execute(true);
  }

 private:
  Store::Session& session_;
  std::string text_;
  std::unique_ptr<soci::statement> statement_;
  int exceptions_ = std::uncaught_exceptions();
};

template <typename... Bound>
bool Store::Session::run(const std::string& text, const Bound&... bound) {
  Statement statement(*this, text);
  statement.bind(bound...);
  return statement.first_row();
}

/// The error of an exception, with what was being done.
Error store_error(const char* doing, const std::exception& exception);

/// Runs SQL; what it throws becomes an Error.
template <typename Work>
auto guard(const char* doing, Work&& work) -> Result<std::invoke_result_t<Work>> {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
      work();
      return {};
    } else {
      return work();
    }
  } catch (const std::exception& exception) {
    return store_error(doing, exception);
  }
}

/// A message as stored text. Thrown errors stay behind guard().
std::string as_json(const google::protobuf::Message& message);
void read_json(const std::string& text, google::protobuf::Message& message);

}  // namespace controller
