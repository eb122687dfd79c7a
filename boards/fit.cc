// Does an app fit on a board, and which of its images runs under which monitor?
#include <algorithm>

#include "boards/board.h"
#include "proto/document.h"
#include "proto/manifest.h"
#include "proto/units.h"

namespace boards {

using fleet::v1::AppManifest;
using proto::Code;
using proto::Error;

namespace {

Error refusal(const AppManifest& manifest, Code code, const std::string& what) {
  return Error{code, manifest.name() + ": " + what, manifest.name()};
}

template <typename Words>
std::string joined(const Words& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + std::string(word);
  return all;
}

Status check_image_arch(const AppManifest& manifest, fleet::v1::Arch arch) {
  std::vector<std::string> archs;
  for (const auto& image : manifest.images()) {
    if (image.arch() == arch) return {};
    const std::string word = proto::word_of(image.arch());
    if (std::find(archs.begin(), archs.end(), word) == archs.end()) archs.push_back(word);
  }
  return refusal(manifest, Code::wrong_arch,
                 "its images are for " + (archs.empty() ? "no CPU" : joined(archs)) +
                     ", this device is " + proto::word_of(arch) + "; push an image for it");
}

bool allowed(const AppManifest& manifest, fleet::v1::MonitorKind kind) {
  const auto& wanted = manifest.monitors();
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), kind) != wanted.end();
}

// "qemu or firecracker" for each platform that the manifest has for this CPU.
std::string monitors_needed(const AppManifest& manifest, fleet::v1::Arch arch) {
  std::vector<std::string> words;
  const auto* type = fleet::v1::MonitorKind_descriptor();
  for (int i = 1; i < type->value_count(); ++i) {
    const auto kind = static_cast<fleet::v1::MonitorKind>(type->value(i)->number());
    const bool useful = std::any_of(
        manifest.images().begin(), manifest.images().end(), [&](const fleet::v1::Image& image) {
          return image.arch() == arch && takes(kind, image.platform()) && allowed(manifest, kind);
        });
    if (useful) words.push_back(proto::word_of(*type->value(i)));
  }
  return words.empty() ? "a monitor that `monitors` leaves out" : joined(words);
}

}  // namespace

bool takes(fleet::v1::MonitorKind kind, fleet::v1::Platform platform) {
  switch (kind) {
    case fleet::v1::MONITOR_HVT: return platform == fleet::v1::HVT;
    case fleet::v1::MONITOR_SPT: return platform == fleet::v1::SPT;
    case fleet::v1::MONITOR_QEMU:
    case fleet::v1::MONITOR_FIRECRACKER: return platform == fleet::v1::VIRTIO;
    default: return false;
  }
}

Status check_fit(const AppManifest& manifest, const Board& board, const FitFacts& facts) {
  const fleet::v1::Needs& needs = manifest.needs();
  if (needs.arch() != fleet::v1::ARCH_UNSPECIFIED && needs.arch() != board.arch) {
    return refusal(manifest, Code::no_fit,
                   "needs.arch is " + proto::word_of(needs.arch()) + ", this board is " +
                       proto::word_of(board.arch));
  }
  const auto& names = needs.boards();
  if (!names.empty() && std::find(names.begin(), names.end(), board.name) == names.end()) {
    return refusal(manifest, Code::no_fit,
                   "needs.boards is " + joined(names) + ", this board is " + board.name);
  }
  // In the order of the keys, so that the same device always names the same label.
  const std::map<std::string, std::string> labels(needs.labels().begin(), needs.labels().end());
  for (const auto& [key, value] : labels) {
    const auto found = facts.labels.find(key);
    if (found != facts.labels.end() && found->second == value) continue;
    return refusal(manifest, Code::no_fit,
                   "needs label " + key + "=" + value + ", this device has " +
                       (found == facts.labels.end() ? "no label " + key
                                                    : key + "=" + found->second));
  }
  TRY_VOID(check_image_arch(manifest, board.arch));
  const std::uint64_t free_bytes = facts.memory_free_bytes > board.memory_reserve_bytes
                                       ? facts.memory_free_bytes - board.memory_reserve_bytes
                                       : 0;
  // What the author asks for is for one instance; a warm spare comes on top.
  const std::uint64_t spare_bytes = proto::standing_memory_bytes(manifest) -
                                    manifest.memory_bytes();
  const std::uint64_t asked_bytes =
      needs.memory_free_bytes() == 0 ? 0 : needs.memory_free_bytes() + spare_bytes;
  if (asked_bytes > free_bytes) {
    return refusal(manifest, Code::no_memory,
                   "needs.memory_free is " + proto::format_size_bytes(needs.memory_free_bytes()) +
                       (spare_bytes == 0 ? ""
                                         : " and the warm spare takes " +
                                               proto::format_size_bytes(spare_bytes)) +
                       ", " + proto::format_size_bytes(facts.memory_free_bytes) +
                       " are free here and the board keeps " +
                       proto::format_size_bytes(board.memory_reserve_bytes) + " for the host");
  }
  return {};
}

Result<ImagePick> pick_image(const AppManifest& manifest, fleet::v1::Arch arch,
                             const std::vector<RankedMonitor>& monitors) {
  TRY_VOID(check_image_arch(manifest, arch));
  std::string unusable;
  std::vector<std::string> labels;
  for (std::size_t m = 0; m < monitors.size(); ++m) {
    const RankedMonitor& monitor = monitors[m];
    labels.push_back(monitor.label);
    if (!allowed(manifest, monitor.kind)) continue;
    for (int i = 0; i < manifest.images_size(); ++i) {
      const fleet::v1::Image& image = manifest.images(i);
      if (image.arch() != arch || !takes(monitor.kind, image.platform())) continue;
      if (monitor.usable) return ImagePick{i, m};
      if (unusable.empty()) unusable = monitor.label + ": " + monitor.evidence;
    }
  }
  const std::string needed = "it needs " + monitors_needed(manifest, arch) + "; ";
  if (!unusable.empty()) return refusal(manifest, Code::monitor_missing, needed + unusable);
  return refusal(manifest, Code::no_monitor,
                 needed + "this device has " + (labels.empty() ? "none" : joined(labels)));
}

}  // namespace boards
