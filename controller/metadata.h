// The TUF repository as the controller keeps it: what operators signed, and the snapshot and
// timestamp that it signs itself over them. Files are served byte for byte as they were signed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controller/data_dir.h"
#include "controller/store.h"
#include "ota/repository.h"
#include "proto/async.h"

namespace controller {

class Metadata {
 public:
  Metadata(Store& store, const DataDir& data, proto::Clock& clock);

  /// Takes a root or a targets role that an operator signed.
  /// errors conflict (not the version after ours) | bad_signature | bad_metadata | expired |
  ///        unavailable (targets before a root) | bad_argument (another role)
  Status upload(const v1::MetadataUpload& upload);

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
  Result<v1::OnlineKeys> online_keys();
  /// Renews timestamp and snapshot when half of their time is over. Called every minute.
  Status renew();
  /// The releases that the app's role lists today, by number. Empty if there is none.
  Result<std::vector<ota::ListedRelease>> listed(const std::string& app);

 private:
  Result<std::optional<ota::Signed<ota::Root>>> root();
  Result<std::optional<ota::Signed<ota::Targets>>> targets(const std::string& role);
  /// New snapshot (if `snapshot_too`) and timestamp. Inside the caller's transaction.
  Status publish(bool snapshot_too);

  Store& store_;
  const DataDir& data_;
  proto::Clock& clock_;
};

}  // namespace controller
