// Snapshots: copies of volumes with `on_revert: restore`, as they were before a release was tried.
// A copy is the file NAME.TAG beside its volume, TAG made of the attempt, and is there whole or not
// at all. Which attempt goes back and which does not is agent/app_snapshots' to say.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "fleet/v1/app.pb.h"
#include "ota/disk.h"
#include "proto/result.h"

namespace agent {

/// The tag of an attempt: 16 hex digits, whatever the controller calls it.
std::string snapshot_tag(std::string_view attempt);

/// The files on one disk. `disk` outlives it. All functions block, some for as long as a copy of
/// the volumes takes.
class Snapshots {
 public:
  explicit Snapshots(ota::Disk& disk) : disk_(disk) {}

  /// Bytes that take() needs.
  static std::uint64_t bytes_for(const fleet::v1::AppManifest& of);

  /// Tags of the app's copies; what a cut left of one goes. errors io
  proto::Result<std::set<std::string>> list(std::string_view app);

  /// Copies each volume that is to be given back. A copy that is there stays: a second try finds
  /// what the first wrote.
  /// in     of: its volumes are made; tag: of the attempt
  /// errors conflict (a guest has the volume) | no_space | io
  /// after  survives power loss; may be cut anywhere and called again
  proto::Status take(const fleet::v1::AppManifest& of, const std::string& tag);

  /// Volumes are as they were copied, and the copies are gone. A volume that grew since keeps its
  /// size. errors conflict (a guest has the volume) | io
  /// after  survives power loss; may be cut anywhere and called again before a guest writes
  proto::Status restore(std::string_view app, const std::string& tag);

  /// Removes the copies. errors io
  proto::Status drop(std::string_view app, const std::string& tag);

 private:
  proto::Result<std::set<std::string>> volumes_of(std::string_view app, const std::string& tag);

  ota::Disk& disk_;
};

}  // namespace agent
