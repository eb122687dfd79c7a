#include "agent/admit.h"

#include <algorithm>

#include "agent/trust.h"
#include "boards/board.h"
#include "proto/manifest.h"
#include "proto/units.h"

namespace agent {
namespace {

using fleet::v1::AppManifest;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

bool all_held(const fleet::v1::Image& image, const std::vector<ota::BlobRef>* have) {
  if (have == nullptr) return true;
  auto blobs = image_blobs(image);
  if (!blobs) return false;
  return std::all_of(blobs->begin(), blobs->end(), [&](const ota::BlobRef& blob) {
    return std::find(have->begin(), have->end(), blob) != have->end();
  });
}

Error short_of_memory(const AppManifest& manifest, std::uint64_t need, std::uint64_t have) {
  const bool twice = proto::standing_memory_bytes(manifest) > manifest.memory_bytes();
  return Error{Code::no_memory,
               proto::format_size_bytes(have) + " free, " + manifest.name() + " needs " +
                   proto::format_size_bytes(need) + (twice ? " with its warm spare" : "") +
                   "; stop another app or lower `memory`",
               manifest.name()};
}

// Beside and swap: the old instance and the trial are there at once. `free_bytes`: with what the
// old one's spare gives back, which ends before the trial starts if it must.
Status pick_with_both(const AppManifest& manifest, std::uint64_t free_bytes, Plan& plan) {
  const std::uint64_t need = manifest.memory_bytes();
  const bool is_auto = manifest.update().handover() == fleet::v1::HANDOVER_AUTO;
  const std::string word = plan.handover == fleet::v1::BESIDE ? "beside" : "swap";
  if (need + kMonitorOverheadBytes <= free_bytes) {
    plan.handover_why = word + (is_auto ? ": memory, ports and bridges allow it"
                                        : ": the manifest asks for it");
    return {};
  }
  if (!is_auto) return short_of_memory(manifest, need + kMonitorOverheadBytes, free_bytes);
  plan.handover = fleet::v1::STOP_START;
  plan.handover_why = "stop-start: " + proto::format_size_bytes(free_bytes) +
                      " free are too few for " + word;
  return {};
}

Status pick_handover(const AppManifest& manifest, const DeviceFacts& facts, Plan& plan) {
  const fleet::v1::Handover asked = manifest.update().handover();
  const fleet::v1::Handover widest = proto::widest_handover(manifest);
  if (facts.live_runs && asked == fleet::v1::BESIDE && widest != fleet::v1::BESIDE) {
    return Error{Code::bad_manifest,
                 "update.handover: beside needs one interface on fleet0 with address auto and no "
                 "volume", manifest.name()};
  }
  plan.handover = asked == fleet::v1::HANDOVER_AUTO ? widest : asked;
  const std::uint64_t free = facts.memory_free_bytes + facts.memory_of_spare_bytes;
  // What is there once the update is over.
  const std::uint64_t standing = proto::standing_memory_bytes(manifest);
  const std::uint64_t without_old = free + (facts.live_runs ? facts.memory_of_old_bytes : 0);
  if (standing > without_old) return short_of_memory(manifest, standing, without_old);
  if (!facts.live_runs) {
    plan.handover_why = "nothing runs to hand over from";
    return {};
  }
  if (plan.handover != fleet::v1::STOP_START) return pick_with_both(manifest, free, plan);
  plan.handover_why = asked == fleet::v1::STOP_START  ? "stop-start: the manifest asks for it"
                      : manifest.volumes_size() != 0 ? "stop-start: a volume has one writer"
                                                     : "stop-start: its network allows no other";
  return {};
}

Status check_bypass(const AppManifest& manifest, const std::vector<BridgePair>& allowed) {
  const auto wanted = bypass_of(manifest);
  if (!wanted || std::find(allowed.begin(), allowed.end(), *wanted) != allowed.end()) return {};
  return Error{Code::forbidden,
               "on_down: bypass would join " + to_string(*wanted) +
                   " here, which launcher.conf of this device does not allow; set bypasses = " +
                   wanted->first + ":" + wanted->second + " there, or write on_down: drop",
               manifest.name()};
}

Status check_lines(const AppManifest& manifest, const std::vector<std::string>& lent) {
  for (const fleet::v1::HostDevice& device : manifest.devices()) {
    const std::string& host = device.host();
    if (host == "none" || std::find(lent.begin(), lent.end(), host) != lent.end()) continue;
    return Error{Code::forbidden,
                 "devices: " + device.name() + ": this device does not lend " + host +
                     "; add it to serial_lines in its launcher.conf, or write host: none",
                 manifest.name()};
  }
  return {};
}

}  // namespace

Result<ImageChoice> pick_image(const AppManifest& manifest, fleet::v1::Arch arch,
                               const std::vector<MonitorChoice>& monitors,
                               const std::vector<ota::BlobRef>* have) {
  std::vector<boards::RankedMonitor> ranked;
  for (const MonitorChoice& choice : monitors) {
    ranked.push_back({choice.kind, choice.monitor != nullptr, choice.label, choice.evidence});
  }
  AppManifest held = manifest;
  held.clear_images();
  std::vector<int> places;
  for (int i = 0; i < manifest.images_size(); ++i) {
    if (!all_held(manifest.images(i), have)) continue;
    *held.add_images() = manifest.images(i);
    places.push_back(i);
  }
  TRY(const boards::ImagePick pick, boards::pick_image(held, arch, ranked));
  return ImageChoice{places.at(static_cast<std::size_t>(pick.image_index)), pick.monitor_index};
}

Status check_text(const AppManifest& manifest) {
  TRY_VOID(proto::check_known(manifest));
  TRY_VOID(proto::check_manifest(manifest, proto::ManifestStage::complete));
  return proto::check_supported(manifest);
}

Status check_number(const ota::AppSlots& slots, std::uint64_t release, bool yanked, bool refused) {
  const std::string name = slots.app + " " + std::to_string(release);
  const ota::SlotRecord* live = slots.live_slot();
  const bool same = live != nullptr && live->release.release == release;
  if (!same && release <= slots.highest_confirmed) {
    return Error{Code::rollback,
                 name + " is not above " + std::to_string(slots.highest_confirmed) +
                     ", the highest that this device confirmed; `fleetctl rollback` signs the old "
                     "content under a new number", slots.app};
  }
  if (yanked) return Error{Code::yanked, name + " was yanked", slots.app};
  if (refused) {
    return Error{Code::refused_digest,
                 name + " failed on this device before; mend it and push again, or retry the "
                 "rollout", slots.app};
  }
  return {};
}

Result<std::vector<PortMapping>> port_mappings(const AppManifest& manifest) {
  std::vector<PortMapping> out;
  for (const fleet::v1::PublishedPort& port : manifest.publish()) {
    TRY(const PortMapping mapping, parse_port_mapping(proto::format_published_port(port)));
    out.push_back(mapping);
  }
  return out;
}

Result<Plan> plan_release(const AppManifest& manifest, const DeviceFacts& facts) {
  Plan plan;
  TRY(const ImageChoice choice, pick_image(manifest, facts.arch, *facts.monitors, nullptr));
  plan.image_index = choice.image_index;
  plan.monitor_index = choice.monitor_index;
  if (facts.memory_max_mib > 0 && manifest.memory_bytes() / proto::kMiB > facts.memory_max_mib) {
    return Error{Code::no_memory,
                 manifest.name() + " asks for " +
                     proto::format_size_bytes(manifest.memory_bytes()) + "; launcher.conf allows " +
                     std::to_string(facts.memory_max_mib) + " MiB per instance",
                 manifest.name()};
  }
  TRY_VOID(pick_handover(manifest, facts, plan));
  TRY(const auto ports, port_mappings(manifest));
  TRY_VOID(check_ports(ports, facts.holders));
  TRY_VOID(check_bypass(manifest, facts.bypasses));
  TRY_VOID(check_lines(manifest, facts.serial_lines));

  TRY(plan.blobs, image_blobs(manifest.images(plan.image_index)));
  TRY(const auto files, file_blobs(manifest));
  plan.blobs.insert(plan.blobs.end(), files.begin(), files.end());
  std::sort(plan.blobs.begin(), plan.blobs.end());
  plan.blobs.erase(std::unique(plan.blobs.begin(), plan.blobs.end()), plan.blobs.end());
  return plan;
}

Status check_budget(const AppManifest& manifest, std::uint64_t fetch_bytes) {
  const std::uint64_t budget = manifest.update().max_bytes();
  if (budget == 0 || fetch_bytes <= budget) return {};
  return Error{Code::budget,
               proto::format_size_bytes(fetch_bytes) + " to fetch, update.max_bytes allows " +
                   proto::format_size_bytes(budget),
               manifest.name()};
}

Status check_room(const AppManifest& manifest, const DiskNeed& need,
                  std::uint64_t disk_free_bytes) {
  if (need.blob_bytes + need.volume_bytes + ota::kDiskReserveBytes <= disk_free_bytes) return {};
  std::string needs = proto::format_size_bytes(need.blob_bytes);
  if (need.volume_bytes != 0) {
    needs = proto::format_size_bytes(need.volume_bytes) + " for its volumes, " + needs +
            " to fetch";
  }
  return Error{Code::no_space,
               proto::format_size_bytes(disk_free_bytes) + " free on the disk, " +
                   manifest.name() + " needs " + needs + " and " +
                   proto::format_size_bytes(ota::kDiskReserveBytes) +
                   " stay free; remove an app", manifest.name()};
}

}  // namespace agent
