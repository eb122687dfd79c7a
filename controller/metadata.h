// Metadata: the controller's TUF repository. It checks what operators signed, keeps it byte for byte
// and signs snapshot and timestamp with its two online keys; it has no key for anything else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controller/store.h"
#include "fleet/v1/api.pb.h"
#include "ota/keys.h"
#include "ota/repository.h"

namespace controller {

/// The keys that are online.
struct OnlineKeys {
  ota::SigningKey snapshot;
  ota::SigningKey timestamp;
};

/// An app's role that was checked and not stored yet.
struct AcceptedRole {
  std::int64_t version = 0;
  std::string text;
  ota::Targets value;
  std::string key_id;  // the first that signed it
};

class Metadata {
 public:
  /// The store outlives it.
  Metadata(Store& store, OnlineKeys keys) : store_(store), keys_(std::move(keys)) {}

  v1::OnlineKeys public_keys() const;

  /// Takes a root or a targets role. The first root is trusted as it comes; a later one must be the
  /// next version, signed by the keys of both. Stores it and publishes. Own transaction.
  /// errors bad_argument (another role; online keys that are not ours) | as ota::accept_*
  Status upload(std::string_view role, std::string_view text, std::int64_t now_ms);

  /// Checks an app's role against today's targets. Nothing is stored.
  /// errors not_found (no root or targets yet) | as ota::accept_app_role
  Result<AcceptedRole> check_app_role(std::string_view app, std::string_view text,
                                      std::int64_t now_ms);
  /// What the app's role lists today; empty when there is none.
  Result<std::optional<ota::Targets>> app_role(std::string_view app);

  /// Stores an app's role, a new snapshot and a new timestamp, in the caller's transaction.
  Status store_app_role(std::string_view app, const AcceptedRole& role, std::int64_t now_ms);
  /// Signs snapshot and timestamp anew when half of their time is over. Own transaction.
  Status renew_if_due(std::int64_t now_ms);

  /// A file as mirrors serve it: "timestamp.json", "3.root.json", "7.apps.dns.json"; the newest for
  /// a name without a number. Empty: there is none.
  Result<std::optional<std::string>> file(std::string_view name);
  /// The newest root, for bootstrap files. Empty: none was uploaded.
  Result<std::optional<std::string>> root() { return store_.metadata("root"); }

 private:
  Status upload_root(std::string_view text, std::int64_t now_s);
  Status upload_targets(std::string_view text, std::int64_t now_s);
  Status publish(std::int64_t now_s);
  Status publish_timestamp(std::string_view snapshot, std::int64_t version, std::int64_t now_s);
  Result<std::optional<ota::Root>> current_root();
  Result<std::optional<ota::Targets>> current_targets(std::string_view role);

  Store& store_;
  OnlineKeys keys_;
};

/// "3.apps.dns.json" -> role "apps.dns", version 3; version 0 when none is named.
struct MetadataName {
  std::string role;
  std::int64_t version = 0;
};
/// errors bad_argument
Result<MetadataName> parse_metadata_name(std::string_view name);

}  // namespace controller
