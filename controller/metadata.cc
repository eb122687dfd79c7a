#include "controller/metadata.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kOnlineVersionsKept = 50;  // snapshots that a slow client may still ask for

// The first key that made a good signature, for people.
std::string signer(const ota::Targets& targets, const std::string& role_name,
                   const ota::Signed<ota::Targets>& role) {
  if (!targets.delegations) return "";
  for (const ota::Signature& signature : role.signatures) {
    if (targets.delegations->keys.count(signature.keyid) == 1) return signature.keyid;
  }
  return role_name;
}

bool names_key(const ota::Root& root, const char* role, const ota::SigningKey& key) {
  const auto found = root.roles.find(role);
  if (found == root.roles.end() || found->second.threshold != 1) return false;
  const auto& ids = found->second.keyids;
  return std::find(ids.begin(), ids.end(), key.keyid()) != ids.end();
}

}  // namespace

Metadata::Metadata(Store& store, const DataDir& data, proto::Clock& clock)
    : store_(store), data_(data), clock_(clock) {}

Result<std::optional<ota::Signed<ota::Root>>> Metadata::root() {
  TRY(const auto text, store_.metadata("root"));
  if (!text) return std::optional<ota::Signed<ota::Root>>();
  TRY(auto parsed, ota::parse_root(*text));
  return std::optional(std::move(parsed));
}

Result<std::optional<ota::Signed<ota::Targets>>> Metadata::targets(const std::string& role) {
  TRY(const auto text, store_.metadata(role));
  if (!text) return std::optional<ota::Signed<ota::Targets>>();
  TRY(auto parsed, ota::parse_targets(*text));
  return std::optional(std::move(parsed));
}

Status Metadata::upload(const v1::MetadataUpload& upload) {
  const std::int64_t now = clock_.wall_ms() / 1000;
  TRY(const auto current_root, root());
  std::int64_t version = 0;
  if (upload.role() == "root") {
    const ota::Root* current = current_root ? &current_root->value : nullptr;
    TRY(const auto accepted, ota::accept_root(current, upload.json(), now));
    // A root with other online keys would make every snapshot of ours worthless.
    if (!names_key(accepted.value, "snapshot", data_.snapshot_key) ||
        !names_key(accepted.value, "timestamp", data_.timestamp_key)) {
      return Error{Code::bad_argument,
                   "this root does not name this controller's snapshot and timestamp keys with"
                   " threshold 1; make it with those of GET /v1/online-keys", "root"};
    }
    // Else no device could follow until somebody signs targets.
    TRY(const auto current_targets, targets("targets"));
    if (current_targets) {
      TRY_VOID(ota::verify_threshold(
          current_targets->canonical, current_targets->signatures, accepted.value.keys,
          accepted.value.roles.at("targets"),
          "targets " + std::to_string(current_targets->value.header.version) +
              " under this root (sign targets with its keys first)"));
    }
    version = accepted.value.header.version;
  } else if (upload.role() == "targets") {
    if (!current_root) {
      return Error{Code::unavailable,
                   "there is no root yet; upload that first (fleetctl keys init)", ""};
    }
    TRY(const auto current, targets("targets"));
    TRY(const auto accepted,
        ota::accept_targets(current_root->value, current ? &current->value : nullptr,
                            upload.json(), now));
    version = accepted.value.header.version;
  } else {
    return Error{Code::bad_argument,
                 "role " + upload.role() + ": only root and targets are uploaded so; an app's role"
                 " comes with a push", upload.role()};
  }
  Store::Transaction transaction(store_);
  TRY_VOID(store_.add_metadata(upload.role(), version, upload.json()));
  TRY(const auto have_targets, store_.metadata("targets"));
  if (have_targets) TRY_VOID(publish(true));
  TRY_VOID(transaction.commit());
  proto::log_info("metadata.accepted", {{"role", upload.role()}, {"version", version}});
  return {};
}

Result<Metadata::AppRole> Metadata::check_app_role(const std::string& app,
                                                   std::string_view text) {
  TRY(const auto top, targets("targets"));
  if (!top) {
    return Error{Code::unavailable, "there are no targets yet; run fleetctl keys init", ""};
  }
  const std::string role_name = ota::app_role_name(app);
  TRY(const auto current, targets(role_name));
  TRY(auto accepted, ota::accept_app_role(top->value, app, current ? &current->value : nullptr,
                                          text, clock_.wall_ms() / 1000));
  TRY(auto releases, ota::releases_of(accepted.value, app));
  if (releases.empty()) {
    return Error{Code::bad_metadata, "role " + role_name + " lists no release", app};
  }
  std::string key_id = signer(top->value, role_name, accepted);
  return AppRole{std::move(accepted), std::move(releases.back()), std::move(key_id)};
}

Status Metadata::store_app_role(const std::string& app, const AppRole& role) {
  TRY_VOID(store_.add_metadata(ota::app_role_name(app), role.role.value.header.version,
                               role.role.raw));
  return publish(true);
}

Status Metadata::publish(bool snapshot_too) {
  const std::int64_t now = clock_.wall_ms() / 1000;
  TRY(auto snapshot_text, store_.metadata("snapshot"));
  std::int64_t snapshot_version = 0;
  if (snapshot_text) {
    TRY(const auto parsed, ota::parse_snapshot(*snapshot_text));
    snapshot_version = parsed.value.header.version;
  }
  if (snapshot_too || !snapshot_text) {
    std::map<std::string, ota::MetaFile> files;
    TRY(const auto roles, store_.metadata_roles());
    for (const std::string& role : roles) {
      if (role == "root" || role == "snapshot" || role == "timestamp") continue;
      TRY(const auto text, store_.metadata(role));
      if (!text) continue;
      TRY(const auto parsed, ota::parse_targets(*text));
      files[role + ".json"] = ota::describe(*text, parsed.value.header.version);
    }
    const ota::Snapshot snapshot = ota::make_snapshot(snapshot_version, std::move(files), now);
    const std::array<const ota::SigningKey*, 1> keys{&data_.snapshot_key};
    snapshot_text = ota::sign(snapshot, keys);
    snapshot_version = snapshot.header.version;
    TRY_VOID(store_.add_metadata("snapshot", snapshot_version, *snapshot_text));
    TRY_VOID(store_.trim_metadata("snapshot", kOnlineVersionsKept));
  }
  std::int64_t timestamp_version = 0;
  TRY(const auto timestamp_text, store_.metadata("timestamp"));
  if (timestamp_text) {
    TRY(const auto parsed, ota::parse_timestamp(*timestamp_text));
    timestamp_version = parsed.value.header.version;
  }
  const ota::Timestamp timestamp = ota::make_timestamp(
      timestamp_version, ota::describe(*snapshot_text, snapshot_version), now);
  const std::array<const ota::SigningKey*, 1> keys{&data_.timestamp_key};
  TRY_VOID(store_.add_metadata("timestamp", timestamp.header.version, ota::sign(timestamp, keys)));
  return store_.trim_metadata("timestamp", 2);
}

Result<std::optional<std::string>> Metadata::file(std::string_view name) {
  constexpr std::string_view kEnd = ".json";
  const std::optional<std::string> none;
  if (name.size() <= kEnd.size() || name.substr(name.size() - kEnd.size()) != kEnd) return none;
  name.remove_suffix(kEnd.size());
  std::int64_t version = 0;
  const char* const end = name.data() + name.size();
  const auto [after, error] = std::from_chars(name.data(), end, version);
  if (error == std::errc() && after != end && *after == '.' && version > 0) {
    name.remove_prefix(static_cast<std::size_t>(after - name.data()) + 1);
    return store_.metadata(name, version);
  }
  return store_.metadata(name);
}

Result<v1::OnlineKeys> Metadata::online_keys() {
  v1::OnlineKeys keys;
  keys.set_snapshot(ota::canonical_json(data_.snapshot_key.public_key().to_json()));
  keys.set_timestamp(ota::canonical_json(data_.timestamp_key.public_key().to_json()));
  return keys;
}

Status Metadata::renew() {
  const std::int64_t now = clock_.wall_ms() / 1000;
  TRY(const auto timestamp_text, store_.metadata("timestamp"));
  TRY(const auto snapshot_text, store_.metadata("snapshot"));
  if (!timestamp_text || !snapshot_text) return {};
  TRY(const auto timestamp, ota::parse_timestamp(*timestamp_text));
  TRY(const auto snapshot, ota::parse_snapshot(*snapshot_text));
  const bool snapshot_due =
      ota::renew_due(snapshot.value.header.expires, ota::kSnapshotLifetime_s, now);
  const bool timestamp_due =
      ota::renew_due(timestamp.value.header.expires, ota::kTimestampLifetime_s, now);
  if (!snapshot_due && !timestamp_due) return {};
  Store::Transaction transaction(store_);
  TRY_VOID(publish(snapshot_due));
  TRY_VOID(transaction.commit());
  proto::log_info("metadata.renewed", {{"snapshot", snapshot_due ? "yes" : "no"}});
  return {};
}

Result<std::vector<ota::ListedRelease>> Metadata::listed(const std::string& app) {
  TRY(const auto role, targets(ota::app_role_name(app)));
  if (!role) return std::vector<ota::ListedRelease>();
  return ota::releases_of(role->value, app);
}

}  // namespace controller
