// The rules of check_manifest but for the network and the app's life, and what the parts share.
#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "proto/document.h"
#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/manifest_internal.h"
#include "proto/units.h"
#include "proto/variables.h"

namespace proto {

using fleet::v1::AppManifest;

namespace manifest_detail {

Error broken(std::string_view field, std::string_view what) {
  return Error{Code::bad_manifest, std::string(field) + ": " + std::string(what),
               std::string(field)};
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxNameLength || text[0] < 'a' || text[0] > 'z') return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

bool is_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253) return false;
  std::size_t label = 0;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (c == '.' ? label == 0 : !plain) return false;
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return false;
  }
  return label != 0;
}

bool is_ipv4(std::string_view text) {
  if (text.size() > 15) return false;
  in_addr address{};
  return ::inet_pton(AF_INET, std::string(text).c_str(), &address) == 1;
}

bool is_ipv6(std::string_view text) {
  if (text.size() > 45) return false;
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool is_ipv4_with_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || !is_ipv4(text.substr(0, slash))) return false;
  const std::string_view prefix = text.substr(slash + 1);
  unsigned bits = 33;
  const auto [end, error] = std::from_chars(prefix.data(), prefix.data() + prefix.size(), bits);
  return error == std::errc() && end == prefix.data() + prefix.size() && bits <= 32;
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
  });
}

std::string indexed(std::string_view field, int index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

Status check_range(std::string_view field, std::uint64_t value, std::uint64_t low,
                   std::uint64_t high) {
  if (value >= low && value <= high) return Status();
  return broken(field, std::to_string(value) + " is out of range; " + std::to_string(low) + " to " +
                           std::to_string(high));
}

Status check_duration(std::string_view field, std::uint64_t ms, std::uint64_t low_ms,
                      std::uint64_t high_ms) {
  if (ms >= low_ms && ms <= high_ms) return Status();
  return broken(field, format_duration_ms(ms) + " is out of range; " + format_duration_ms(low_ms) +
                           " to " + format_duration_ms(high_ms));
}

Status check_size(std::string_view field, std::uint64_t bytes, std::uint64_t low,
                  std::uint64_t high) {
  if (bytes >= low && bytes <= high) return Status();
  return broken(field, format_size_short(bytes) + " is out of range; " + format_size_short(low) +
                           " to " + format_size_short(high));
}

}  // namespace manifest_detail

namespace {

using namespace manifest_detail;

constexpr std::uint64_t kVolumeStepBytes = 4 * kKiB;  // a page, and whole sectors of any disk
constexpr std::uint64_t kMinVolumeBytes = 64 * kKiB;
constexpr std::uint64_t kMaxVolumeBytes = std::uint64_t{1024} * 1024 * kMiB;  // also all of an app

constexpr std::size_t kMaxTextBytes = 4096;  // one argument, one value of the environment

Status check_blob(const fleet::v1::Blob& blob, const std::string& field, std::uint64_t most) {
  if (!is_sha256(blob.sha256())) return broken(field, "has no SHA-256");
  return check_size(field, blob.size_bytes(), 1, most);
}

Status check_images(const AppManifest& manifest) {
  if (manifest.images_size() == 0) return broken("images", "there is none");
  if (manifest.images_size() > static_cast<int>(kMaxImagesPerRelease)) {
    return broken("images", "more than 16");
  }
  std::set<std::pair<int, int>> seen;
  for (int i = 0; i < manifest.images_size(); ++i) {
    const auto& image = manifest.images(i);
    const std::string field = indexed("images", i);
    if (image.arch() == fleet::v1::ARCH_UNSPECIFIED) return broken(field, "has no architecture");
    if (image.platform() == fleet::v1::PLATFORM_UNSPECIFIED)
      return broken(field, "has no platform");
    if (!seen.insert({image.arch(), image.platform()}).second) {
      return broken(field, word_of(image.arch()) + "/" + word_of(image.platform()) +
                               " is there twice; keep one");
    }
    TRY_VOID(check_blob(image.kernel(), field + ".kernel", kMaxImageBytes));
    if (image.has_initrd()) {
      TRY_VOID(check_blob(image.initrd(), field + ".initrd", kMaxImageBytes));
    }
    if (image.has_disk()) TRY_VOID(check_blob(image.disk(), field + ".disk", kMaxImageBytes));
  }
  return Status();
}

Status check_text(const std::string& field, const std::string& text) {
  if (text.size() > kMaxTextBytes) return broken(field, "is longer than 4096 bytes");
  if (text.find('\0') != std::string::npos) return broken(field, "holds a zero byte");
  return Status();
}

bool is_environment_name(const std::string& name) {
  if (name.empty() || name.size() > 128 || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Status check_configuration(const AppManifest& manifest) {
  if (manifest.args_size() > static_cast<int>(kMaxArguments)) {
    return broken("args", "more than 128");
  }
  for (int i = 0; i < manifest.args_size(); ++i) {
    TRY_VOID(check_text(indexed("args", i), manifest.args(i)));
  }
  if (manifest.env_size() > static_cast<int>(kMaxArguments)) return broken("env", "more than 128");
  for (const auto& [name, value] : manifest.env()) {
    const std::string field = "env." + name;
    if (!is_environment_name(name)) return broken(field, "a name is of A-Z a-z 0-9 _");
    TRY_VOID(check_text(field, value));
  }
  return Status();
}

Status check_files(const AppManifest& manifest, ManifestStage stage) {
  if (manifest.files_size() > 256) return broken("files", "more than 256");
  std::set<std::string> seen;
  std::uint64_t total = 0;
  for (const auto& file : manifest.files()) {
    const std::string& path = file.path();
    const std::string field = "files." + path;
    const bool climbs = (path + "/").find("/../") != std::string::npos ||
                        (path + "/").find("/./") != std::string::npos ||
                        path.find("//") != std::string::npos || path.ends_with('/');
    if (path.size() < 2 || path.size() > 255 || path[0] != '/' || climbs || !is_printable(path)) {
      return broken(field, "is no path in the guest; write it from /, without . and ..");
    }
    if (!seen.insert(path).second) return broken(field, "is there twice");
    if (stage == ManifestStage::unresolved) continue;
    if (!is_sha256(file.content().sha256())) return broken(field, "has no SHA-256");
    if (file.content().size_bytes() == 0) return broken(field, "is empty");
    TRY_VOID(check_size(field, file.content().size_bytes(), 1, kMaxFileBytes));
    total += file.content().size_bytes();
  }
  if (total > kMaxFilesBytes) return broken("files", "are larger than 4M together");
  return Status();
}

Status check_volume(const fleet::v1::Volume& volume, const std::string& field) {
  if (!is_name(volume.name())) return broken(field + ".name", "is [a-z][a-z0-9-]{0,39}");
  if (volume.name() == "config") {
    return broken(field + ".name", "config is the device of the configuration; take another name");
  }
  TRY_VOID(check_size(field + ".size", volume.size_bytes(), kMinVolumeBytes, kMaxVolumeBytes));
  if (volume.size_bytes() % kVolumeStepBytes != 0) {
    return broken(field + ".size", std::to_string(volume.size_bytes()) +
                                       " bytes are no multiple of 4K, whole sectors of any disk");
  }
  const std::string& sync = volume.sync();
  if (sync != "always" && sync != "periodic" && sync != "never") {
    return broken(field + ".sync", "is always, periodic or never");
  }
  if (volume.on_revert() != "keep" && volume.on_revert() != "restore") {
    return broken(field + ".on_revert", "is keep or restore");
  }
  return Status();
}

Status check_storage(const AppManifest& manifest) {
  std::set<std::string> names;
  if (manifest.volumes_size() > static_cast<int>(kMaxVolumes)) {
    return broken("volumes", "are at most " + std::to_string(kMaxVolumes));
  }
  std::uint64_t all_bytes = 0;
  for (int i = 0; i < manifest.volumes_size(); ++i) {
    const auto& volume = manifest.volumes(i);
    const std::string field = indexed("volumes", i);
    TRY_VOID(check_volume(volume, field));
    if (!names.insert(volume.name()).second) return broken(field + ".name", "is there twice");
    all_bytes += volume.size_bytes();
  }
  TRY_VOID(check_size("volumes", all_bytes, 0, kMaxVolumeBytes));
  const int lines = manifest.devices_size();
  if (lines != 0 && manifest.network_size() + lines > static_cast<int>(kMaxInterfaces)) {
    return broken("devices",
                  "are " + std::to_string(kMaxInterfaces) + " at most, network included");
  }
  for (int i = 0; i < manifest.devices_size(); ++i) {
    const auto& device = manifest.devices(i);
    const std::string field = indexed("devices", i);
    if (!is_name(device.name())) return broken(field + ".name", "is [a-z][a-z0-9-]{0,39}");
    if (!names.insert(device.name()).second) return broken(field + ".name", "is there twice");
    const bool climbs = device.host().find("..") != std::string::npos;
    const bool path = device.host().starts_with("/dev/") && !climbs && device.host().size() < 64;
    if (!path && device.host() != "none") {
      return broken(field + ".host", "is a path below /dev, or none");
    }
    if (device.as() != "console" && device.as() != "block") {
      return broken(field + ".as", "is console or block");
    }
  }
  return Status();
}

// A host name with a letter for each ((name)): whether the rest of it can be one.
std::string with_letters(const std::string& text) {
  std::string out = text;
  const auto uses = variables_in(text);
  for (auto use = uses.rbegin(); use != uses.rend(); ++use) {
    out.replace(use->offset, use->size_bytes, "x");
  }
  return out;
}

Status check_head(const AppManifest& manifest, ManifestStage stage) {
  if (manifest.version() != 1) return broken("version", "is 1");
  if (!is_name(manifest.name())) {
    return broken("name", "\"" + manifest.name().substr(0, 60) +
                              "\" is no name; write [a-z][a-z0-9-]{0,39}");
  }
  if (manifest.description().size() > 200 || !is_printable(manifest.description())) {
    return broken("description", "is one line of at most 200 bytes");
  }
  const std::string& host = manifest.hostname();
  if (!is_host_name(with_letters(host))) return broken("hostname", "is no host name");
  if (manifest.run() == fleet::v1::RUN_MODE_UNSPECIFIED) return broken("run", "is vm or bare");
  std::set<int> seen;
  for (int i = 0; i < manifest.monitors_size(); ++i) {
    if (!seen.insert(manifest.monitors(i)).second || manifest.monitors(i) == 0) {
      return broken(indexed("monitors", i), "is there twice or unknown");
    }
  }
  const bool memory_may_wait = stage == ManifestStage::unresolved && manifest.memory_bytes() == 0;
  if (!memory_may_wait) {
    TRY_VOID(check_size("memory", manifest.memory_bytes(), 2 * kMiB, 1024 * 1024 * kMiB));
  }
  TRY_VOID(check_range("cpus", manifest.cpus(), 1, 64));
  TRY_VOID(check_range("cpu_limit", manifest.cpu_limit_percent(), 0, 6400));
  return check_size("log_rate", manifest.log_rate_bytes(), 256, 16 * kMiB);
}

}  // namespace

Status check_manifest(const AppManifest& manifest, ManifestStage stage) {
  TRY_VOID(check_head(manifest, stage));
  if (stage == ManifestStage::complete) {
    if (manifest.release() == 0) return broken("release", "has no number");
    TRY_VOID(check_images(manifest));
    if (manifest.ByteSizeLong() > kMaxManifestBytes) {
      return Error{Code::too_large, "the manifest is larger than 256 KiB", ""};
    }
  }
  TRY_VOID(check_configuration(manifest));
  TRY_VOID(check_files(manifest, stage));
  TRY_VOID(check_vars(manifest));
  TRY_VOID(check_storage(manifest));
  TRY_VOID(check_network(manifest));
  TRY_VOID(check_health(manifest));
  return check_life(manifest);
}

}  // namespace proto
