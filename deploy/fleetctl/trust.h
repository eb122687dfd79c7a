// fleetctl as a TUF client and signer: what the operator has seen of a controller's metadata, and
// new versions on top of it. It never signs on top of something older than it saw.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "deploy/fleetctl/api.h"
#include "deploy/fleetctl/home.h"
#include "ota/disk.h"
#include "ota/repository.h"
#include "ota/updater.h"
#include "proto/result.h"

namespace fleetctl {

/// The controller's metadata files.
class ControllerMetadata final : public ota::MetadataSource {
 public:
  explicit ControllerMetadata(Api& api) : api_(api) {}
  const std::string& base_url() const { return api_.http().base_url(); }
  ota::Result<std::string> fetch(std::string_view file_name, std::size_t max_bytes) override {
    return api_.metadata(file_name, max_bytes);
  }

 private:
  Api& api_;
};

/// One context's trust. A resource; borrows the Api.
class Trust {
 public:
  /// errors io
  static proto::Result<std::unique_ptr<Trust>> open(const Context& context, Api& api);

  /// Whether a root is there at all.
  bool has_root();
  /// Takes a root that came by a trusted way: our own, or the first one seen at login.
  /// errors as Updater::bootstrap
  proto::Status bootstrap(std::string_view root_bytes);
  /// The newest metadata of the controller, checked against what was seen before.
  /// errors as Updater::refresh, with what they mean and what to do
  proto::Status refresh();

  /// refresh(), and the app's role too: what was just signed is kept as seen, so that nobody can
  /// show us less later, and `keys restore` has it.
  proto::Status remember(std::string_view app);

  /// From now on what expired is taken too, if all else is right: only to be signed again.
  void take_expired() { now_ = ota::kNoDates; }
  /// Root alone: for new keys in the place of stolen ones, when the rest cannot be believed.
  /// errors as refresh()
  proto::Status refresh_root();

  /// Only after refresh().
  const ota::TrustedSet& trusted() const { return updater_->trusted(); }
  /// After refresh() or refresh_root().
  const ota::Signed<ota::Root>& root() const { return updater_->root(); }
  /// The app's role. out null: delegated, and nothing pushed yet
  /// errors not_signed (not delegated; teaches `keys delegate`) | as refresh
  proto::Result<const ota::Signed<ota::Targets>*> app_role(std::string_view app);
  /// The line of targets that hands the app over; null if there is none.
  const ota::DelegatedRole* delegation(std::string_view app) const;

  /// What this machine saw last of a role, as it was signed; "" if nothing. errors io
  proto::Result<std::string> seen(std::string_view role);
  /// The trusted root's bytes, for bootstrap files.
  proto::Result<std::string> root_bytes();

 private:
  Trust(std::unique_ptr<ota::RealDisk> disk, Api& api);
  proto::Status take_first_root();

  std::unique_ptr<ota::RealDisk> disk_;
  ota::DirectoryMetadataStore store_;
  ControllerMetadata source_;
  std::unique_ptr<ota::Updater> updater_;
  std::optional<std::int64_t> now_;  // instead of the clock
};

/// Unix seconds now.
std::int64_t now_s();

}  // namespace fleetctl
