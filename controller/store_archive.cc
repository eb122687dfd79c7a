#include "controller/store_archive.h"

#include "controller/store_sql.h"

namespace controller {
namespace {

using proto::Code;
using soci::into;
using soci::use;

constexpr const char* kTable =
    "CREATE TABLE sqlar (name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)";
constexpr long long kMode = 0100600;

}  // namespace

struct Archive::Session {
  soci::session sql;
};

Archive::Archive(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Archive::~Archive() = default;

Result<std::unique_ptr<Archive>> Archive::create(const std::string& path) {
  auto session = std::make_unique<Session>();
  TRY_VOID(guard("making the archive", [&] {
    session->sql.open(soci::sqlite3, "dbname=\"" + path + "\" timeout=5 synchronous=full");
    session->sql << kTable;
    session->sql << "BEGIN IMMEDIATE";
  }));
  return std::unique_ptr<Archive>(new Archive(std::move(session)));
}

Result<std::unique_ptr<Archive>> Archive::open(const std::string& path) {
  auto session = std::make_unique<Session>();
  std::string sound;
  long long tables = 0;
  const Status opened = guard("opening the archive", [&] {
    session->sql.open(soci::sqlite3, "dbname=\"" + path + "\" timeout=5 readonly=true");
    session->sql << "PRAGMA trusted_schema=OFF";
    session->sql << "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'sqlar'",
        into(tables);
    session->sql << "PRAGMA quick_check(1)", into(sound);
  });
  if (!opened || tables != 1 || sound != "ok") {
    return Error{Code::bad_argument,
                 path + " is no backup, or a damaged one" +
                     (opened ? sound.empty() || sound == "ok" ? "" : ": " + sound
                             : ": " + opened.error().what),
                 path};
  }
  return std::unique_ptr<Archive>(new Archive(std::move(session)));
}

Status Archive::add(std::string_view name, std::string_view content, std::int64_t wall_ms) {
  const std::string n(name);
  const long long mtime = wall_ms / 1000;
  const auto size = static_cast<long long>(content.size());
  return guard("adding to the archive", [&] {
    soci::blob data(session_->sql);
    data.write(0, content.data(), content.size());
    session_->sql << "INSERT INTO sqlar (name, mode, mtime, sz, data) VALUES (:n,:m,:t,:s,:d)",
        use(n), use(kMode), use(mtime), use(size), use(data);
  });
}

Status Archive::commit() {
  return guard("ending the archive", [&] { session_->sql << "COMMIT"; });
}

Result<std::vector<std::string>> Archive::names() {
  return guard("reading the archive", [&] {
    std::string name;
    soci::statement statement =
        (session_->sql.prepare << "SELECT name FROM sqlar ORDER BY rowid", into(name));
    statement.execute();
    std::vector<std::string> names;
    while (statement.fetch()) names.push_back(name);
    return names;
  });
}

Result<std::string> Archive::read(std::string_view name) {
  const std::string n(name);
  bool found = false;
  bool packed = false;
  TRY(std::string content, guard("reading from the archive", [&] {
        soci::blob data(session_->sql);
        long long size = 0;
        session_->sql << "SELECT sz, data FROM sqlar WHERE name = :n", use(n), into(size),
            into(data);
        found = session_->sql.got_data();
        std::string bytes(found ? data.get_len() : 0, '\0');
        packed = static_cast<long long>(bytes.size()) != size;
        if (!bytes.empty()) data.read(0, bytes.data(), bytes.size());
        return bytes;
      }));
  if (!found) return Error{Code::not_found, "the archive has no " + n, n};
  if (packed) return Error{Code::bad_argument, n + " in the archive is packed", n};
  return content;
}

Status copy_database(const std::string& database, const std::string& into_path) {
  return guard("copying the database", [&] {
    soci::session sql;
    sql.open(soci::sqlite3, "dbname=\"" + database + "\" timeout=5");
    sql << "VACUUM INTO :f", use(into_path);
  });
}

}  // namespace controller
