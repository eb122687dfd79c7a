#include "controller/metadata.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "controller/audit.h"
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

}  // namespace

Result<ota::Header> header_of(std::string_view text) {
  TRY(const ota::Json document, ota::parse_json(text));
  const ota::Json* part = document.find("signed");
  const ota::Json* version = part != nullptr ? part->find("version") : nullptr;
  const ota::Json* expires = part != nullptr ? part->find("expires") : nullptr;
  if (version == nullptr || expires == nullptr || !version->is_integer() ||
      !expires->is_string()) {
    return Error{Code::bad_metadata, "signed metadata has a version and a date; this has not", ""};
  }
  ota::Header header;
  header.version = version->as_integer();
  TRY(header.expires, ota::parse_time(expires->as_string()));
  return header;
}

Metadata::Metadata(Store& store, OnlineKeys& keys, proto::Clock& clock)
    : store_(store), keys_(keys), clock_(clock) {}

Result<std::vector<ota::ListedRelease>> listed_releases(Store& store, std::string_view app) {
  std::vector<ota::ListedRelease> none;
  TRY(const auto text, store.metadata(ota::app_role_name(app)));
  if (!text) return none;
  TRY(const auto role, ota::parse_targets(*text));
  return ota::releases_of(role.value, app);
}

Result<bool> is_yanked(Store& store, std::string_view app, std::uint64_t release) {
  TRY(const auto listed, listed_releases(store, app));
  return std::any_of(listed.begin(), listed.end(), [release](const ota::ListedRelease& each) {
    return std::cmp_equal(each.number, release) && each.yanked;
  });
}

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
    TRY(const ota::SigningKey* key, online_key(ota::Snapshot::kType));
    const std::array<const ota::SigningKey*, 1> keys{key};
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
  TRY(const ota::SigningKey* key, online_key(ota::Timestamp::kType));
  const std::array<const ota::SigningKey*, 1> keys{key};
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

// errors internal, which says how it is mended
Result<const ota::SigningKey*> Metadata::online_key(const char* role) {
  TRY(const auto current, root());
  const ota::SigningKey* key = current ? keys_.named_by(current->value, role) : nullptr;
  if (key != nullptr) return key;
  return Error{Code::internal,
               std::string("the newest root names no ") + role + " key that is here (an older data"
                   " directory?); put a new one in: fleetctl keys rotate " + role, role};
}

Result<std::vector<v1::RoleExpiry>> Metadata::expiries() {
  std::vector<v1::RoleExpiry> all;
  TRY(const auto roles, store_.metadata_roles());
  for (const std::string& role : roles) {
    TRY(const auto text, store_.metadata(role));
    TRY(const ota::Header header, header_of(text.value_or("")));
    v1::RoleExpiry& one = all.emplace_back();
    one.set_role(role);
    one.set_version(static_cast<std::uint64_t>(header.version));
    one.set_expires_ms(static_cast<std::uint64_t>(header.expires) * 1000);
    one.set_needs_care(ota::needs_care(role, header.expires, clock_.wall_ms() / 1000));
  }
  return all;
}

Result<bool> Metadata::renew() {
  const std::int64_t now = clock_.wall_ms() / 1000;
  TRY(const auto timestamp_text, store_.metadata("timestamp"));
  TRY(const auto snapshot_text, store_.metadata("snapshot"));
  if (!timestamp_text || !snapshot_text) return false;
  TRY(const auto current, root());
  // A stop between the root's commit and this leaves the key in its successor's file, where it is
  // as good.
  const Status settled = current ? keys_.settle(current->value) : Status();
  if (!settled) proto::log_error("key.not_switched", {{"why", settled.error().what}});
  TRY(const auto timestamp, ota::parse_timestamp(*timestamp_text));
  TRY(const auto snapshot, ota::parse_snapshot(*snapshot_text));
  const bool snapshot_due =
      ota::renew_due(snapshot.value.header.expires, ota::kSnapshotLifetime_s, now);
  const bool timestamp_due =
      ota::renew_due(timestamp.value.header.expires, ota::kTimestampLifetime_s, now);
  if (!snapshot_due && !timestamp_due) return false;
  Store::Transaction transaction(store_);
  TRY_VOID(publish(snapshot_due));
  TRY_VOID(append_audit(store_, clock_.wall_ms(),
                        {kController, "metadata.renewed",
                         snapshot_due ? "snapshot, timestamp" : "timestamp"}));
  TRY_VOID(transaction.commit());
  proto::log_info("metadata.renewed", {{"snapshot", snapshot_due ? "yes" : "no"}});
  return true;
}

}  // namespace controller
