// manifest.yml as people write it -> AppManifest as it is signed, and the rules for both (UX A).
// fleetctl checks before it signs, the controller when it accepts, the agent when it admits: the
// same functions. Nothing is resolved here: no image is opened, nothing is fetched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/v1/app.pb.h"
#include "proto/document.h"
#include "proto/result.h"

namespace proto {

/// One entry of `images` (or the short form `image`): paths on this machine, or `catalog:NAME`.
struct ImageSource {
  std::string key;      // "x86_64/spt" as written; "" for `image`
  fleet::v1::Arch arch = fleet::v1::ARCH_UNSPECIFIED;              // unspecified: the bytes say it
  fleet::v1::Platform platform = fleet::v1::PLATFORM_UNSPECIFIED;
  std::string kernel;   // path, made absolute or relative to the current folder by base_dir
  std::string initrd;   // "" = none
  std::string disk;
  std::string catalog;  // NAME of catalog:NAME; then no path is set
  std::string place;    // "manifest.yml:9", for errors about the file
};

/// One entry of `files`: either a path or the content itself.
struct FileSource {
  std::string path;     // in the guest
  std::string from;     // path on this machine, "" when content was given
  std::string content;
  bool is_template = false;
  std::string place;
};

/// One application of the file. `manifest` has all defaults filled in, but no release number, no
/// images and no file digests: those come with the bytes.
struct FileApplication {
  fleet::v1::AppManifest manifest;
  std::vector<ImageSource> images;  // none, and no path: the catalog's of the app's name
  std::string path;                 // the source folder of `path`, "" = it has none
  fleet::v1::Format format = fleet::v1::FORMAT_AUTO;  // of its images; auto: the bytes say it
  std::vector<FileSource> files;
  std::string field_prefix;  // "applications[0]"
};

struct ManifestFile {
  std::vector<FileApplication> applications;
  SourceLines lines;

  /// "manifest.yml:45: health.deadline" for an error about a field of an application.
  std::string place_of(const FileApplication& application, std::string_view field) const;
};

/// Reads, fills in defaults and checks by check_manifest and check_supported.
/// in     file: the name for errors ("manifest.yml"); base_dir: what paths in it are relative to
/// errors bad_manifest "manifest.yml:45: health.deadline: 10 has no unit; write 10s or 10ms"
///        not_supported "not supported yet: run: bare (manifest.yml:40)" | too_large
Result<ManifestFile> parse_manifest(std::string_view text, std::string_view file,
                                    std::string_view base_dir);
/// The same from a path. errors also not_found, io
Result<ManifestFile> load_manifest(const std::string& path);

/// The one named, or the only one. errors bad_manifest (no such name: which there are; several)
Result<const FileApplication*> find_application(const ManifestFile& file, std::string_view name);

/// A file's bytes with its entry.
struct LoadedFile {
  std::string path;
  std::string bytes;
  bool is_template = false;
  std::string place;     // "rules.fw", or where the manifest holds its content
  bool is_file = false;  // the former: a line of it is "rules.fw:12"
};
/// Reads the files of an application. errors bad_manifest: missing, empty, over 1 MiB, over 4 MiB
/// in all, or a template with an undeclared ((name)); names the entry and its place
Result<std::vector<LoadedFile>> load_files(const FileApplication& application);

/// Every rule about a signed manifest that needs no other knowledge: ranges, names, duplicates,
/// what may not go together. With `complete`: images and release are there too.
/// errors bad_manifest "health.deadline: ..."; Error.element is the field ("health.deadline")
enum class ManifestStage { unresolved, complete };
Status check_manifest(const fleet::v1::AppManifest& manifest, ManifestStage stage);

/// The closed list of what is not built yet.
/// errors not_supported "not supported yet: devices"; Error.element is the field
Status check_supported(const fleet::v1::AppManifest& manifest);

/// No field and no enum value that this build does not know, at any depth.
/// errors manifest_too_new "field 99 of Health (health)"; Error.element is the field
Status check_known(const fleet::v1::AppManifest& manifest);

/// "53:53/udp" and back. errors bad_manifest
Result<fleet::v1::PublishedPort> parse_published_port(std::string_view text);
std::string format_published_port(const fleet::v1::PublishedPort& port);

/// What `handover: auto` may become at most: beside only with no volume and one interface on fleet0
/// with address auto (DESIGN 5); swap for bridged apps; else stop-start.
fleet::v1::Handover widest_handover(const fleet::v1::AppManifest& manifest);

/// Memory of all instances that run when nothing happens: a warm spare is one more.
std::uint64_t standing_memory_bytes(const fleet::v1::AppManifest& manifest);

/// The agent knows where that interface is by IPv4: neither none nor asked for by DHCP.
bool has_known_address(const fleet::v1::Interface& interface);

/// It has no address at all, and hands frames on: `address: none` and no address6.
bool is_frame_port(const fleet::v1::Interface& interface);

}  // namespace proto
