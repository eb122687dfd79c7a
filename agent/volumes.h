// Volumes: what an app keeps on this device, as files volumes/APP/NAME of the state directory. They
// outlive updates, reverts and restarts; a release that goes back finds them as they are, unless
// the manifest asks for agent/snapshots. Names are of a signed manifest alone; never says when a
// guest may run.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/monitors/monitor.h"
#include "fleet/v1/app.pb.h"
#include "fleet/v1/link.pb.h"
#include "ota/disk.h"
#include "proto/result.h"

namespace agent {

/// Between two rounds of `sync: periodic`: what a power cut takes at most, beside the round itself.
inline constexpr std::int64_t kSyncEveryMs = 5000;

/// The volumes of one start.
struct OpenVolumes {
  std::vector<monitors::Volume> volumes;  // in the manifest's order
  std::vector<std::string> made;          // names of those that were not there
};

/// Where they are on the disk: "volumes/dns", "volumes/dns/cache".
std::string volume_folder(std::string_view app);
std::string volume_file(std::string_view app, std::string_view name);

/// Takes the lock that a volume's one writer holds, until the file is closed.
/// errors conflict (a guest has it) | io
proto::Status lock_volume(const ota::Fd& file, const std::string& what);

/// Files of volumes with `sync: periodic`, to be synced as long as their guest runs.
std::vector<std::string> periodic_files(const fleet::v1::AppManifest& of);

/// The files on one disk. `disk` outlives it. All functions block, some for long.
class Volumes {
 public:
  explicit Volumes(ota::Disk& disk) : disk_(disk) {}

  /// Bytes that are still to be taken from the disk: of volumes that are not there, or grow.
  /// in     live: what runs here, or null; a file that a failed release grew is as it was to it
  /// errors conflict (a volume is longer than `of` says: its end would be lost) | io
  proto::Result<std::uint64_t> missing_bytes(const fleet::v1::AppManifest& of,
                                             const fleet::v1::AppManifest* live);

  /// Makes what is not there, zeros with all their room, and grows what is too short. Names what it
  /// made. errors no_space (what it made is gone again) | io
  /// after  survives power loss; may be cut anywhere and called again
  proto::Result<std::vector<std::string>> make(const fleet::v1::AppManifest& of);

  /// make(), and opens each for one guest: the lock is held until its last descriptor is closed,
  /// which is the end of that guest, whatever becomes of the agent.
  /// in     by_descriptor: `sync: always` as O_DSYNC
  /// errors also conflict (another instance has it)
  proto::Result<OpenVolumes> open(const fleet::v1::AppManifest& of, bool by_descriptor);

  /// What is on the disk of each that the app's live release declares, in its manifest's order; a
  /// volume that is not there has size 0. Then of what else is there (`left`), at most kMaxVolumes,
  /// by name: without a live release (null) that is all. errors io
  proto::Result<std::vector<fleet::v1::VolumeStatus>> measure(std::string_view app,
                                                              const fleet::v1::AppManifest* of);

  /// What guests wrote to these files is on the disk. One that is gone is none. errors io
  proto::Status sync(const std::set<std::string>& files);

  /// Removes volumes; one that is not there is no error. errors io
  /// after  survives power loss
  proto::Status remove(std::string_view app, const std::vector<std::string>& names);

 private:
  proto::Result<std::uint64_t> size_of(const std::string& file);
  proto::Status measure_file(std::string_view app, fleet::v1::VolumeStatus& one);
  proto::Status measure_left(std::string_view app, const fleet::v1::AppManifest* of,
                             std::vector<fleet::v1::VolumeStatus>& out);

  ota::Disk& disk_;
};

}  // namespace agent
