// TUF metadata as it was signed, and the releases that were accepted.
#include "controller/store_sql.h"

namespace controller {
namespace {

using soci::into;
using soci::use;

// The numbers of one app that are asked for.
struct Range {
  long long from = 0;
  long long to = std::numeric_limits<long long>::max();
  long long most = -1;  // so many of them, the newest; -1: all
};

std::vector<ReleaseRow> select(Store::Session& session, const std::string& app,
                               const Range& range) {
  ReleaseRow row;
  row.app = app;
  std::string manifest;
  long long number = 0;
  long long created = 0;
  long long size = 0;
  Statement statement(session,
                      "SELECT number, created_ms, by_name, key_id, manifest_sha256, "
                      "manifest_json, size_bytes FROM releases "
                      "WHERE app = :a AND number BETWEEN :f AND :t ORDER BY number DESC "
                      "LIMIT :l");
  statement.start(use(app), use(range.from), use(range.to), use(range.most), into(number),
                  into(created), into(row.by), into(row.key_id), into(row.manifest_sha256),
                  into(manifest), into(size));
  std::vector<ReleaseRow> rows;
  while (statement.fetch()) {
    row.number = number;
    row.created_ms = created;
    row.size_bytes = size;
    row.manifest.Clear();
    read_json(manifest, row.manifest);
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> strings(Store::Session& session, const std::string& query) {
  std::string value;
  Statement statement(session, query);
  statement.start(into(value));
  std::vector<std::string> out;
  while (statement.fetch()) out.push_back(value);
  return out;
}

}  // namespace

Status Store::add_metadata(std::string_view role, std::int64_t version, std::string_view text) {
  const std::string r(role);
  const std::string t(text);
  const long long v = version;
  return guard("adding metadata", [&] {
    session_->run("INSERT INTO metadata (role, version, text) VALUES (:r,:v,:t)", use(r), use(v),
                  use(t));
  });
}

Result<std::optional<std::string>> Store::metadata(std::string_view role) {
  const std::string r(role);
  return guard("reading metadata", [&]() -> std::optional<std::string> {
    std::string text;
    const bool found = session_->run("SELECT text FROM metadata WHERE role = :r "
                                     "ORDER BY version DESC LIMIT 1",
                                     use(r), into(text));
    if (!found) return std::nullopt;
    return text;
  });
}

Result<std::optional<std::string>> Store::metadata(std::string_view role, std::int64_t version) {
  const std::string r(role);
  const long long v = version;
  return guard("reading metadata", [&]() -> std::optional<std::string> {
    std::string text;
    const bool found = session_->run("SELECT text FROM metadata WHERE role = :r AND version = :v",
                                     use(r), use(v), into(text));
    if (!found) return std::nullopt;
    return text;
  });
}

Result<std::vector<std::string>> Store::metadata_roles() {
  return guard("reading the roles", [&] {
    return strings(*session_, "SELECT DISTINCT role FROM metadata ORDER BY role");
  });
}

Status Store::trim_metadata(std::string_view role, std::int64_t kept) {
  const std::string r(role);
  const long long k = kept;
  return guard("trimming metadata", [&] {
    session_->run("DELETE FROM metadata WHERE role = :r AND version NOT IN (SELECT version FROM "
                  "metadata WHERE role = :q ORDER BY version DESC LIMIT :k)",
                  use(r), use(r), use(k));
  });
}

Status Store::add_release(const ReleaseRow& release) {
  const long long number = release.number;
  const long long created = release.created_ms;
  const long long size = release.size_bytes;
  return guard("adding a release", [&] {
    const std::string manifest = as_json(release.manifest);
    session_->run("INSERT INTO releases (app, number, created_ms, by_name, key_id, "
                  "manifest_sha256, manifest_json, size_bytes) VALUES (:a,:n,:c,:b,:k,:s,:m,:z)",
                  use(release.app), use(number), use(created), use(release.by), use(release.key_id),
                  use(release.manifest_sha256), use(manifest), use(size));
  });
}

Result<std::set<std::string>> Store::released_blobs() {
  return guard("reading what releases consist of", [&] {
    const std::vector<std::string> digests =
        strings(*session_, "SELECT manifest_sha256 FROM releases UNION SELECT value FROM releases, "
                           "json_tree(manifest_json) WHERE key = 'sha256'");
    return std::set<std::string>(digests.begin(), digests.end());
  });
}

Result<std::vector<ReleaseRow>> Store::releases(std::string_view app) {
  const std::string a(app);
  return guard("reading the releases", [&] {
    return select(*session_, a, {});
  });
}

Result<std::optional<ReleaseRow>> Store::newest_release(std::string_view app) {
  const std::string a(app);
  return guard("reading a release", [&]() -> std::optional<ReleaseRow> {
    std::vector<ReleaseRow> rows = select(*session_, a, {.most = 1});
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
  });
}

Result<std::optional<ReleaseRow>> Store::release(std::string_view app, std::int64_t number) {
  const std::string a(app);
  return guard("reading a release", [&]() -> std::optional<ReleaseRow> {
    std::vector<ReleaseRow> rows = select(*session_, a, {number, number});
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
  });
}

Result<std::vector<std::string>> Store::apps() {
  return guard("reading the apps", [&] {
    return strings(*session_, "SELECT DISTINCT app FROM releases ORDER BY app");
  });
}

}  // namespace controller
