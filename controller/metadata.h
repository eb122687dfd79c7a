// The TUF repository as the controller keeps it: what operators signed, and the snapshot and
// timestamp that it signs itself over them. Files are served byte for byte as they were signed.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/online_keys.h"
#include "controller/store.h"
#include "ota/repository.h"
#include "proto/async.h"

namespace controller {

/// What devices should know although nothing is wanted of them.
struct News {
  bool keys = false;  // of any role: concerns every device
  std::map<std::string, std::vector<std::int64_t>> yanked;  // releases by app
  std::vector<std::string> roles;  // that were taken, with their versions: "root 2"
};

/// The releases that the app's role lists today, by number. Empty if there is none.
Result<std::vector<ota::ListedRelease>> listed_releases(Store& store, std::string_view app);

/// Whether its app's role lists it as yanked.
Result<bool> is_yanked(Store& store, std::string_view app, std::uint64_t release);
/// Version and date of signed metadata of any role; nothing of it is checked.
/// errors bad_metadata
Result<ota::Header> header_of(std::string_view text);
/// What a Desired says as `metadata_news`: another number whenever there were news.
Result<std::uint64_t> newest_news(Store& store);

class Metadata {
 public:
  /// All of it outlives the object.
  Metadata(Store& store, OnlineKeys& keys, proto::Clock& clock);

  /// Takes a role that an operator signed, and those that come together with it, all or none. A
  /// controller that was restored from an older backup takes what an operator has seen: any version
  /// above ours, releases that are not here too (their bytes stay where they are).
  /// in     tell: called in the same transaction
  /// errors conflict (not the version after ours) | bad_signature | bad_metadata | expired |
  ///        unavailable (targets before a root) | bad_argument (another role; a new release, which
  ///        comes by a push)
  Status upload(const v1::MetadataUpload& upload,
                const std::function<Status(const News& news)>& tell);

  /// An app's next role, checked; nothing is stored yet.
  struct AppRole {
    ota::Signed<ota::Targets> role;
    ota::ListedRelease newest;
    std::string key_id;
  };
  Result<AppRole> check_app_role(const std::string& app, std::string_view text);
  /// Stores it with a new snapshot and timestamp. Inside the caller's transaction.
  Status store_app_role(const std::string& app, const AppRole& role);

  /// A file by the name that a client asks for: "timestamp.json", "3.root.json", "2.apps.dns.json".
  /// nullopt: there is none
  Result<std::optional<std::string>> file(std::string_view name);
  OnlineKeys& online_keys() { return keys_; }
  /// Renews timestamp and snapshot when half of their time is over. Called every minute.
  /// out    whether anything was due. errors no_space | io: nothing was changed, call it again
  Result<bool> renew();
  /// When each published role ends, by the clock of this machine: root, targets, apps, online.
  Result<std::vector<v1::RoleExpiry>> expiries();

 private:
  struct Accepted;
  Result<Accepted> accept(const v1::MetadataUpload& upload);
  Status accept_root(const v1::MetadataUpload& upload, Accepted& accepted);
  Status accept_targets(const v1::MetadataUpload& upload, Accepted& accepted);
  Status accept_app_role(const ota::Targets& targets, const v1::MetadataUpload& upload,
                         ota::Follows follows, Accepted& accepted);
  Status accept_restored(const v1::MetadataUpload& upload, Accepted& accepted);
  Status accept_online(const ota::Root& root, const v1::MetadataUpload& upload,
                       Accepted& accepted);
  Result<bool> is_above(const v1::MetadataUpload& upload);
  Status check_still_signed(const ota::Targets& targets, const Accepted& accepted);
  Result<const ota::SigningKey*> online_key(const char* role);
  Result<std::optional<ota::Signed<ota::Root>>> root();
  Result<std::optional<ota::Signed<ota::Targets>>> targets(const std::string& role);
  /// New snapshot (if `snapshot_too`) and timestamp. Inside the caller's transaction.
  Status publish(bool snapshot_too);

  Store& store_;
  OnlineKeys& keys_;
  proto::Clock& clock_;
};

}  // namespace controller
