// Admit: may this release run on this device? Everything is asked before the first image byte is
// fetched. Pure: facts in, a plan or a refusal out. It never looks at signatures (agent/trust).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/network.h"
#include "agent/ports.h"
#include "fleet/v1/app.pb.h"
#include "ota/blobs.h"
#include "ota/slots.h"
#include "proto/result.h"

namespace agent {

/// What of the device counts.
struct DeviceFacts {
  fleet::v1::Arch arch = fleet::v1::ARCH_UNSPECIFIED;
  std::uint64_t memory_free_bytes = 0;
  std::uint64_t memory_of_old_bytes = 0;   // what a stop of the live instance would give back
  std::uint64_t memory_of_spare_bytes = 0;  // and of its warm spare
  std::uint32_t memory_max_mib = 0;        // launcher.conf, for one instance
  bool live_runs = false;
  const std::vector<MonitorChoice>* monitors = nullptr;
  PortHolders holders;                     // without this app's own
  std::vector<BridgePair> bypasses;        // that launcher.conf allows
  std::vector<std::string> serial_lines;   // that it lends
};

/// How the release will run here.
struct Plan {
  int image_index = 0;
  std::size_t monitor_index = 0;           // in DeviceFacts::monitors
  fleet::v1::Handover handover = fleet::v1::STOP_START;
  std::string handover_why;                // "beside: memory, ports and bridges allow it"
  std::vector<ota::BlobRef> blobs;         // of the chosen image and the files, each once
};

/// What a monitor takes beside the guest's memory; only to choose between beside and stop-start.
inline constexpr std::uint64_t kMonitorOverheadBytes = 48 * proto::kMiB;

/// The signed text: known, well-formed, built. errors manifest_too_new | bad_manifest |
/// not_supported
proto::Status check_text(const fleet::v1::AppManifest& manifest);
/// The number's rules and this device's memory of the release (DESIGN 4).
/// errors rollback | yanked | refused_digest
proto::Status check_number(const ota::AppSlots& slots, std::uint64_t release, bool yanked,
                           bool refused);
/// errors wrong_arch | no_monitor | monitor_missing | no_memory | port_taken | no_fit |
///        forbidden (a bypass, a serial line) | bad_manifest (a handover that cannot be)
proto::Result<Plan> plan_release(const fleet::v1::AppManifest& manifest, const DeviceFacts& facts);
/// What a release still takes from the disk.
struct DiskNeed {
  std::uint64_t blob_bytes = 0;
  std::uint64_t volume_bytes = 0;
};
/// errors no_space: names need and have
proto::Status check_room(const fleet::v1::AppManifest& manifest, const DiskNeed& need,
                         std::uint64_t disk_free_bytes);
/// `fetch_bytes`: of images, files and deltas, those that were fetched already included. Metadata
/// and manifest, which tell the budget, do not count; they have limits of their own.
/// errors budget (update.max_bytes): names need and have
proto::Status check_budget(const fleet::v1::AppManifest& manifest, std::uint64_t fetch_bytes);

/// Which image under which monitor.
struct ImageChoice {
  int image_index = 0;
  std::size_t monitor_index = 0;
};
/// The first usable monitor, best first, that takes an image of this CPU. `have`: only images whose
/// blobs are all in it (a slot holds one image's); null = any.
/// errors wrong_arch | no_monitor | monitor_missing
proto::Result<ImageChoice> pick_image(const fleet::v1::AppManifest& manifest,
                                      fleet::v1::Arch arch,
                                      const std::vector<MonitorChoice>& monitors,
                                      const std::vector<ota::BlobRef>* have);

/// The manifest's `publish` as mappings. errors bad_argument
proto::Result<std::vector<PortMapping>> port_mappings(const fleet::v1::AppManifest& manifest);

}  // namespace agent
