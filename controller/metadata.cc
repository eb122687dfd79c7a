#include "controller/metadata.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kSnapshotsKept = 16;  // clients in the middle of a refresh ask for older ones
constexpr std::int64_t kTimestampsKept = 2;

bool names_key(const ota::Root& root, const char* role, const ota::SigningKey& key) {
  const auto found = root.roles.find(role);
  if (found == root.roles.end()) return false;
  const auto& ids = found->second.keyids;
  return found->second.threshold == 1 &&
         std::find(ids.begin(), ids.end(), key.keyid()) != ids.end();
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Error bad_name(std::string_view name) {
  return Error{Code::bad_argument, "no metadata file: " + std::string(name.substr(0, 100)), ""};
}

}  // namespace

Result<MetadataName> parse_metadata_name(std::string_view name) {
  constexpr std::string_view kEnd = ".json";
  if (name.size() > 200 || !name.ends_with(kEnd)) return bad_name(name);
  std::string_view rest = name.substr(0, name.size() - kEnd.size());
  MetadataName out;
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (digits > 0 && digits < rest.size() && rest[digits] == '.') {
    const auto parsed = std::from_chars(rest.data(), rest.data() + digits, out.version);
    if (parsed.ec != std::errc() || out.version < 1) return bad_name(name);
    rest.remove_prefix(digits + 1);
  }
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      out.role += rest[i];
      continue;
    }
    if (i + 2 >= rest.size()) return bad_name(name);
    const int high = hex_value(rest[i + 1]);
    const int low = hex_value(rest[i + 2]);
    if (high < 0 || low < 0) return bad_name(name);
    out.role += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (out.role.empty()) return bad_name(name);
  return out;
}

v1::OnlineKeys Metadata::public_keys() const {
  v1::OnlineKeys out;
  out.set_snapshot(ota::compact_json(keys_.snapshot.public_key().to_json()));
  out.set_timestamp(ota::compact_json(keys_.timestamp.public_key().to_json()));
  return out;
}

Status Metadata::upload(std::string_view role, std::string_view text, std::int64_t now_ms) {
  Store::Transaction transaction(store_);
  const std::int64_t now_s = now_ms / 1000;
  if (role == "root") {
    TRY_VOID(upload_root(text, now_s));
  } else if (role == "targets") {
    TRY_VOID(upload_targets(text, now_s));
  } else {
    return Error{Code::bad_argument,
                 "role is \"" + std::string(role.substr(0, 64)) +
                     "\"; root and targets come here, an app's role comes with its push",
                 "role"};
  }
  TRY_VOID(publish(now_s));
  return transaction.commit();
}

Status Metadata::upload_root(std::string_view text, std::int64_t now_s) {
  if (text.size() > proto::kMaxRootBytes) {
    return Error{Code::too_large, "a root is at most 512000 bytes", "root"};
  }
  TRY(const std::optional<ota::Root> current, current_root());
  TRY(const ota::Signed<ota::Root> offered,
      ota::accept_root(current ? &*current : nullptr, text, now_s));
  if (!names_key(offered.value, "snapshot", keys_.snapshot) ||
      !names_key(offered.value, "timestamp", keys_.timestamp)) {
    return Error{Code::bad_argument,
                 "this root does not name this controller's snapshot and timestamp keys with "
                 "threshold 1; make it with those of GET /v1/online-keys",
                 "root"};
  }
  proto::log_info("root.accepted", {{"version", offered.value.header.version}});
  return store_.add_metadata("root", offered.value.header.version, text);
}

Status Metadata::upload_targets(std::string_view text, std::int64_t now_s) {
  if (text.size() > proto::kMaxTargetsBytes) {
    return Error{Code::too_large, "a targets role is at most 5000000 bytes", "targets"};
  }
  TRY(const std::optional<ota::Root> root, current_root());
  if (!root) return Error{Code::not_found, "no root yet: fleetctl keys init", "root"};
  TRY(const std::optional<ota::Targets> current, current_targets("targets"));
  TRY(const ota::Signed<ota::Targets> offered,
      ota::accept_targets(*root, current ? &*current : nullptr, text, now_s));
  proto::log_info("targets.accepted", {{"version", offered.value.header.version}});
  return store_.add_metadata("targets", offered.value.header.version, text);
}

Result<AcceptedRole> Metadata::check_app_role(std::string_view app, std::string_view text,
                                              std::int64_t now_ms) {
  if (text.size() > proto::kMaxTargetsBytes) {
    return Error{Code::too_large, "an app's role is at most 5000000 bytes", std::string(app)};
  }
  TRY(const std::optional<ota::Targets> targets, current_targets("targets"));
  if (!targets) {
    return Error{Code::not_found, "no keys are set up yet: fleetctl keys init", "targets"};
  }
  TRY(const std::optional<ota::Targets> current, app_role(app));
  TRY(ota::Signed<ota::Targets> offered,
      ota::accept_app_role(*targets, app, current ? &*current : nullptr, text, now_ms / 1000));
  AcceptedRole out;
  out.version = offered.value.header.version;
  out.text = std::string(text);
  out.value = std::move(offered.value);
  if (!offered.signatures.empty()) out.key_id = offered.signatures.front().keyid;
  return out;
}

Result<std::optional<ota::Targets>> Metadata::app_role(std::string_view app) {
  return current_targets(ota::app_role_name(app));
}

Status Metadata::store_app_role(std::string_view app, const AcceptedRole& role,
                                std::int64_t now_ms) {
  TRY_VOID(store_.add_metadata(ota::app_role_name(app), role.version, role.text));
  return publish(now_ms / 1000);
}

// A new snapshot of every role but root, timestamp and itself, and a timestamp that names it.
// Before there are targets there is nothing to publish.
Status Metadata::publish(std::int64_t now_s) {
  TRY(const std::optional<std::string> targets, store_.metadata("targets"));
  if (!targets) return {};
  std::map<std::string, ota::MetaFile> files;
  TRY(const std::vector<std::string> roles, store_.metadata_roles());
  for (const std::string& role : roles) {
    if (role == "root" || role == "snapshot" || role == "timestamp") continue;
    TRY(const std::optional<std::string> text, store_.metadata(role));
    FLEET_ASSERT(text.has_value());
    TRY(const ota::Signed<ota::Targets> parsed, ota::parse_targets(*text));
    files.insert_or_assign(role + ".json",
                           ota::describe(*text, parsed.value.header.version));
  }
  std::int64_t last = 0;
  TRY(const std::optional<std::string> older, store_.metadata("snapshot"));
  if (older) {
    TRY(const ota::Signed<ota::Snapshot> parsed, ota::parse_snapshot(*older));
    last = parsed.value.header.version;
  }
  const ota::Snapshot snapshot = ota::make_snapshot(last, std::move(files), now_s);
  const ota::SigningKey* const keys[] = {&keys_.snapshot};
  const std::string text = ota::sign(snapshot, keys);
  TRY_VOID(store_.add_metadata("snapshot", snapshot.header.version, text));
  TRY_VOID(store_.trim_metadata("snapshot", kSnapshotsKept));
  return publish_timestamp(text, snapshot.header.version, now_s);
}

Status Metadata::publish_timestamp(std::string_view snapshot, std::int64_t version,
                                   std::int64_t now_s) {
  std::int64_t last = 0;
  TRY(const std::optional<std::string> older, store_.metadata("timestamp"));
  if (older) {
    TRY(const ota::Signed<ota::Timestamp> parsed, ota::parse_timestamp(*older));
    last = parsed.value.header.version;
  }
  const ota::Timestamp timestamp =
      ota::make_timestamp(last, ota::describe(snapshot, version), now_s);
  const ota::SigningKey* const keys[] = {&keys_.timestamp};
  TRY_VOID(store_.add_metadata("timestamp", timestamp.header.version, ota::sign(timestamp, keys)));
  return store_.trim_metadata("timestamp", kTimestampsKept);
}

Status Metadata::renew_if_due(std::int64_t now_ms) {
  const std::int64_t now_s = now_ms / 1000;
  TRY(const std::optional<std::string> snapshot, store_.metadata("snapshot"));
  TRY(const std::optional<std::string> timestamp, store_.metadata("timestamp"));
  if (!snapshot || !timestamp) return {};
  TRY(const ota::Signed<ota::Snapshot> s, ota::parse_snapshot(*snapshot));
  TRY(const ota::Signed<ota::Timestamp> t, ota::parse_timestamp(*timestamp));
  const bool new_snapshot =
      ota::renew_due(s.value.header.expires, ota::kSnapshotLifetime_s, now_s);
  const bool new_timestamp =
      ota::renew_due(t.value.header.expires, ota::kTimestampLifetime_s, now_s);
  if (!new_snapshot && !new_timestamp) return {};
  Store::Transaction transaction(store_);
  if (new_snapshot) {
    TRY_VOID(publish(now_s));
  } else {
    TRY_VOID(publish_timestamp(*snapshot, s.value.header.version, now_s));
  }
  TRY_VOID(transaction.commit());
  proto::log_info("metadata.renewed", {{"snapshot", new_snapshot ? "yes" : "no"}});
  return {};
}

Result<std::optional<std::string>> Metadata::file(std::string_view name) {
  const auto parsed = parse_metadata_name(name);
  if (!parsed) return std::optional<std::string>();
  if (parsed->version == 0) return store_.metadata(parsed->role);
  return store_.metadata(parsed->role, parsed->version);
}

Result<std::optional<ota::Root>> Metadata::current_root() {
  TRY(const std::optional<std::string> text, store_.metadata("root"));
  if (!text) return std::optional<ota::Root>();
  TRY(ota::Signed<ota::Root> parsed, ota::parse_root(*text));
  return std::optional<ota::Root>(std::move(parsed.value));
}

Result<std::optional<ota::Targets>> Metadata::current_targets(std::string_view role) {
  TRY(const std::optional<std::string> text, store_.metadata(role));
  if (!text) return std::optional<ota::Targets>();
  TRY(ota::Signed<ota::Targets> parsed, ota::parse_targets(*text));
  return std::optional<ota::Targets>(std::move(parsed.value));
}

}  // namespace controller
