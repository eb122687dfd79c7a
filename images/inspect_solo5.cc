#include "images/inspect_solo5.h"

#include <algorithm>

namespace images {

namespace {

constexpr std::uint32_t kAbiNote = 0x31494241;       // "ABI1"
constexpr std::uint32_t kManifestNote = 0x3154464d;  // "MFT1"
constexpr std::size_t kEntryBytes = 104;
constexpr std::size_t kNameBytes = 68;
constexpr std::uint32_t kMaxEntries = 64;
constexpr std::uint32_t kReservedFirst = 1u << 30;
constexpr const char* kTargets[] = {"", "hvt", "spt", "virtio", "muen", "genode", "xen"};

Status take_abi(Solo5Notes& notes, const Fields& content) {
  if (content.size() < 8) return bad_image("damaged: a Solo5 ABI note that is too short");
  if (notes.target != 0) return bad_image("damaged: two Solo5 ABI notes");
  notes.target = content.u32(0);
  notes.version = content.u32(4);
  if (notes.target == 0 || notes.target >= std::size(kTargets)) {
    return bad_image("Solo5 target number " + std::to_string(notes.target) +
                     "; 1 (hvt) to 6 (xen) are known");
  }
  return {};
}

// 4 bytes of padding, version, count, then the entries; the first one is reserved.
Status take_manifest(Solo5Notes& notes, const Fields& content) {
  if (notes.has_manifest) return bad_image("damaged: two Solo5 manifest notes");
  notes.has_manifest = true;
  const std::uint32_t version = content.u32(4);
  const std::uint32_t count = content.u32(8);
  if (content.size() < 12 || version != 1) {
    return bad_image("a Solo5 manifest of version " + std::to_string(version) + "; 1 is known");
  }
  if (count == 0 || count > kMaxEntries || content.size() != 12 + count * kEntryBytes) {
    return bad_image("damaged: a Solo5 manifest of " + std::to_string(count) + " entries in " +
                     std::to_string(content.size()) + " bytes");
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const Fields entry = content.sub(12 + i * kEntryBytes, kEntryBytes);
    const std::string name = entry.text(0, kNameBytes);
    const std::uint32_t type = entry.u32(kNameBytes);
    if (i == 0) {
      if (type == kReservedFirst && name.empty()) continue;
      return bad_image("damaged: a Solo5 manifest without its reserved first entry");
    }
    const bool named = !name.empty() && name.size() < kNameBytes &&
                       std::all_of(name.begin(), name.end(), [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                (c >= 'A' && c <= 'Z');
                       });
    if (!named || (type != 1 && type != 2)) {
      return bad_image("damaged: device " + std::to_string(i) + " of the Solo5 manifest is \"" +
                       printable(name, kNameBytes) + "\" of type " + std::to_string(type) +
                       "; a plain name of type 1 (block) or 2 (net) is expected");
    }
    notes.devices.push_back({name, type == 1 ? DeviceKind::block : DeviceKind::net});
  }
  return {};
}

std::string count_words(const std::vector<ImageDevice>& devices) {
  std::string words;
  for (const DeviceKind kind : {DeviceKind::net, DeviceKind::block}) {
    const auto count = std::count_if(devices.begin(), devices.end(),
                                     [kind](const ImageDevice& d) { return d.kind == kind; });
    if (count == 0) continue;
    words += ", " + std::to_string(count) + (kind == DeviceKind::net ? " net" : " block");
  }
  return words;
}

}  // namespace

Status Solo5Notes::take(std::uint32_t type, const Fields& content) {
  if (type == kAbiNote) return take_abi(*this, content);
  if (type == kManifestNote) return take_manifest(*this, content);
  return {};
}

Result<ImageInfo> Solo5Notes::judge(bool is64, std::uint64_t entry) const {
  FLEET_ASSERT(target > 0 && target < std::size(kTargets));
  if (!is64) return bad_image("damaged: a Solo5 image of 32 bits");
  if (!has_manifest) return bad_image("damaged: a Solo5 image without its manifest note");
  ImageInfo info;
  info.family = Family::solo5;
  info.entry = entry;
  info.abi_version = version;
  info.devices = devices;
  const std::string target_name = kTargets[target];
  info.summary = "Solo5 " + target_name + ", ABI " + std::to_string(version) +
                 count_words(devices);
  const bool is_tender = target == 1 || target == 2;
  if (is_tender) {
    info.platform = target == 1 ? Platform::hvt : Platform::spt;
    info.boot = BootProtocol::solo5;
    // To a tender, ABI 1 and 2 are the same (FORMATS 2a.3).
    if (version != 1 && version != 2) {
      info.obstacle = "Solo5 " + target_name + " ABI " + std::to_string(version) +
                      "; 1 and 2 are known";
    }
  } else if (target == 3) {
    info.platform = Platform::virtio;
    info.boot = BootProtocol::multiboot;
  } else {
    info.obstacle = "built for Solo5's target " + target_name + "; hvt, spt or virtio can run";
  }
  return info;
}

}  // namespace images
