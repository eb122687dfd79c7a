#include "deploy/fleetctl/draft.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cerrno>

#include "deploy/fleetctl/build.h"
#include "deploy/fleetctl/catalog.h"
#include "deploy/fleetctl/config_check.h"
#include "deploy/fleetctl/diff.h"
#include "deploy/fleetctl/text.h"
#include "ota/disk.h"
#include "proto/document.h"
#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;
using proto::Code;

constexpr std::uint64_t kDefaultMemoryBytes = 64 * proto::kMiB;  // a manifest without `memory`

void add_payload(Draft& draft, Payload payload) {
  const bool known = std::any_of(draft.payloads.begin(), draft.payloads.end(),
                                 [&payload](const Payload& p) { return p.blob == payload.blob; });
  if (!known) draft.payloads.push_back(std::move(payload));
}

void set_blob(fleet::v1::Blob& blob, const ota::BlobRef& ref) {
  blob.set_sha256(ref.digest.hex());
  blob.set_size_bytes(ref.size_bytes);
}

// Hashes a file and lists it among what the controller must have.
proto::Result<ota::BlobRef> take_file(Draft& draft, const std::string& path,
                                      const std::string& place) {
  const proto::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return ota::errno_error(place + ": cannot open " + path, errno);
  TRY(const std::uint64_t size, ota::size_of(file));
  if (size == 0) {
    return proto::Error{Code::bad_image, place + ": " + path + " is empty; not an image", path};
  }
  if (size > proto::kMaxImageBytes) {
    return proto::Error{Code::too_large,
                        place + ": " + path + " is " + proto::format_size_bytes(size) +
                            "; at most " + proto::format_size_bytes(proto::kMaxImageBytes),
                        path};
  }
  TRY(const ota::Sha256 digest, ota::hash_file(file.get()));
  add_payload(draft, {{digest, size}, path, ""});
  return ota::BlobRef{digest, size};
}

std::string arch_word(fleet::v1::Arch arch) { return proto::word_of(arch); }

// The entry's own words must be what the bytes say.
proto::Status check_entry(const proto::ImageSource& source, const images::ImageInfo& info) {
  const std::string what =
      source.place + ": " + (source.kernel.empty() ? source.disk : source.kernel);
  if (!info.obstacle.empty()) {
    return proto::Error{Code::bad_image, what + " is " + info.summary + ": " + info.obstacle,
                        source.kernel};
  }
  if (info.arch == images::Arch::other) {
    return proto::Error{Code::wrong_arch,
                        what + " is for " + info.machine + "; images are for x86_64 or aarch64",
                        source.kernel};
  }
  const auto arch = static_cast<fleet::v1::Arch>(info.arch);
  if (source.arch != fleet::v1::ARCH_UNSPECIFIED && info.arch != images::Arch::unknown &&
      source.arch != arch) {
    return proto::Error{Code::wrong_arch,
                        what + " is for " + arch_word(arch) + ", but its entry says " +
                            arch_word(source.arch) + "; name the other file, or the other CPU",
                        source.kernel};
  }
  const auto platform = static_cast<fleet::v1::Platform>(info.platform);
  if (source.platform != fleet::v1::PLATFORM_UNSPECIFIED &&
      info.platform != images::Platform::unknown && source.platform != platform) {
    return proto::Error{Code::bad_image,
                        what + " is for " + proto::word_of(platform) + ", but its entry says " +
                            proto::word_of(source.platform), source.kernel};
  }
  if (source.arch == fleet::v1::ARCH_UNSPECIFIED && info.arch == images::Arch::unknown) {
    return proto::Error{Code::bad_image,
                        what + ": its bytes do not say for which CPU it is; write it under "
                        "`images` with x86_64/virtio or aarch64/virtio", source.kernel};
  }
  return {};
}

// Whose guest it is: the manifest's word counts where the bytes have none that is certain.
proto::Result<fleet::v1::Format> format_of(const std::string& what, fleet::v1::Format label,
                                           const images::ImageInfo& info) {
  const auto seen = static_cast<fleet::v1::Format>(info.family);
  if (label == fleet::v1::FORMAT_AUTO) {
    const bool is_nobodys = seen == fleet::v1::FORMAT_AUTO &&
                            info.boot == images::BootProtocol::arm64_image;
    if (!is_nobodys) return seen;
    return proto::Error{Code::bad_image,
                        what + " is an arm64 Image, which does not say whose guest it is; if it is "
                               "Linux, write format: linux", "format"};
  }
  const bool has_note = seen == fleet::v1::UNIFLEET || seen == fleet::v1::SOLO5;
  if (!has_note || label == seen) return label;
  return proto::Error{Code::bad_image,
                      what + " is " + info.summary + ", but the manifest says format: " +
                          proto::word_of(label), "format"};
}

proto::Status add_image(Draft& draft, const proto::ImageSource& source, fleet::v1::Format label) {
  // A disk alone boots by itself: it stands where the kernel stands.
  const std::string& main = source.kernel.empty() ? source.disk : source.kernel;
  auto info = images::inspect_file(main);
  if (!info) {
    // Inspect's text begins with the path.
    const std::string hint = info.error().code == Code::bad_image &&
                                     info.error().what.find("not an image") == std::string::npos
                                 ? " (not an image that can be run)" : "";
    return proto::Error{info.error().code, source.place + ": " + info.error().what + hint, main};
  }
  TRY_VOID(check_entry(source, *info));
  fleet::v1::Image& image = *draft.manifest.add_images();
  image.set_arch(source.arch != fleet::v1::ARCH_UNSPECIFIED
                     ? source.arch : static_cast<fleet::v1::Arch>(info->arch));
  image.set_platform(info->platform != images::Platform::unknown
                         ? static_cast<fleet::v1::Platform>(info->platform)
                     : source.platform != fleet::v1::PLATFORM_UNSPECIFIED ? source.platform
                                                                          : fleet::v1::VIRTIO);
  TRY(const fleet::v1::Format format, format_of(source.place + ": " + main, label, *info));
  image.set_format(format);
  image.set_summary(info->family == images::Family::unknown && format != fleet::v1::FORMAT_AUTO
                        ? proto::word_of(format) + ", " + info->summary : info->summary);
  const std::string key = image_key(image);
  for (const DraftImage& other : draft.images) {
    if (other.key != key) continue;
    return proto::Error{Code::bad_manifest,
                        source.place + ": " + main + " and " + other.path + " are both for " + key +
                            "; keep one", {}};
  }
  if (!source.kernel.empty()) {
    TRY(const ota::BlobRef blob, take_file(draft, source.kernel, source.place));
    set_blob(*image.mutable_kernel(), blob);
  }
  if (!source.initrd.empty()) {
    TRY(const ota::BlobRef blob, take_file(draft, source.initrd, source.place));
    set_blob(*image.mutable_initrd(), blob);
  }
  if (!source.disk.empty()) {
    TRY(const ota::BlobRef blob, take_file(draft, source.disk, source.place));
    set_blob(*image.mutable_disk(), blob);
  }
  draft.images.push_back({key, main, *info, source.initrd});
  return {};
}

// Block devices and volumes are matched by name, one to one, where the bytes say what they want.
proto::Status check_volumes(const AppManifest& manifest, const DraftImage& image) {
  if (image.info.boot != images::BootProtocol::solo5) return {};
  const bool ours = image.info.family == images::Family::unifleet;
  const auto& volumes = manifest.volumes();
  std::vector<std::string> declared;
  for (const images::ImageDevice& device : image.info.devices) {
    if (device.kind != images::DeviceKind::block) continue;
    if (ours && device.name == "config") continue;
    declared.push_back(device.name);
  }
  for (const std::string& name : declared) {
    const bool found = std::any_of(volumes.begin(), volumes.end(),
                                   [&name](const auto& volume) { return volume.name() == name; });
    if (found) continue;
    return proto::Error{Code::bad_manifest,
                        "volumes: " + image.path + " wants a block device " + visible(name) +
                            "; write volumes: [{name: " + visible(name) + ", size: 8M}]",
                        "volumes"};
  }
  for (const fleet::v1::Volume& volume : volumes) {
    const bool found = std::find(declared.begin(), declared.end(), volume.name()) != declared.end();
    if (found) continue;
    return proto::Error{Code::bad_manifest,
                        "volumes: " + image.path + " has no block device " + volume.name() +
                            (declared.empty() ? "; it declares none"
                                              : "; it declares " + visible(join(declared, ", "))),
                        "volumes"};
  }
  return {};
}

// A serial line is a net device of the image to which it is led. On virtio our own take theirs by
// the name in their config.
proto::Status check_devices(const AppManifest& manifest, const DraftImage& image) {
  const bool solo5 = image.info.boot == images::BootProtocol::solo5;
  if (!solo5 && image.info.family == images::Family::unifleet) return {};
  for (const fleet::v1::HostDevice& device : manifest.devices()) {
    const auto& declared = image.info.devices;
    const bool found = std::any_of(declared.begin(), declared.end(), [&device](const auto& one) {
      return one.kind == images::DeviceKind::net && one.name == device.name();
    });
    if (found) continue;
    return proto::Error{Code::bad_manifest,
                        "devices: " + image.path + " has no net device " + device.name() +
                            " for it" + (solo5 ? "" : "; serial lines are for our own images"),
                        "devices"};
  }
  return {};
}

// A folder without a manifest teaches how to get one.
proto::Error no_manifest(const PushOptions& options, const std::string& path) {
  const std::string app = options.app.empty() ? "NAME" : options.app;
  std::string what = "there is no " + visible(path);
  const auto catalog = read_catalog(options.catalog);
  if (catalog && !options.app.empty() && find_entry(*catalog, options.app)) {
    what += "; the catalog has " + options.app;
  }
  return proto::Error{Code::not_found,
                      what + "\nan app of the catalog:    fleetctl catalog copy " + app +
                          "     and push again\na folder of sources:     fleetctl push --path "
                          "FOLDER --to SELECTOR", path};
}

// The images as the manifest names them, those of the catalog as what they stand for.
proto::Result<std::vector<proto::ImageSource>> resolve(const Recipe& recipe,
                                                       const PushOptions& options) {
  const proto::FileApplication& application = recipe.application;
  std::vector<proto::ImageSource> wanted = application.images;
  if (wanted.empty()) {
    // An app of the catalog need not say so.
    proto::ImageSource& one = wanted.emplace_back();
    one.catalog = application.manifest.name();
    one.place = recipe.file.place_of(application, "name");
  }
  std::vector<proto::ImageSource> found;
  for (const proto::ImageSource& source : wanted) {
    if (source.catalog.empty()) {
      found.push_back(source);
      continue;
    }
    auto images = [&]() -> proto::Result<std::vector<proto::ImageSource>> {
      TRY(const Catalog catalog, read_catalog(options.catalog));
      return catalog_images(catalog, source);
    }();
    if (!images && application.images.empty()) {
      return proto::Error{Code::not_found,
                          source.place + ": the app has no image; write image, images or path\n" +
                              images.error().what, source.catalog};
    }
    TRY_VOID(images);
    found.insert(found.end(), images->begin(), images->end());
  }
  return found;
}

}  // namespace

proto::Result<Recipe> read_recipe(const PushOptions& options) {
  const std::string path = options.manifest_file.empty() ? "manifest.yml" : options.manifest_file;
  const bool of_folder = !options.path.empty() && options.manifest_file.empty();
  auto file = of_folder ? manifest_of_folder(options.path) : proto::load_manifest(path);
  if (!file && !of_folder && file.error().code == Code::not_found) {
    return no_manifest(options, path);
  }
  Recipe recipe;
  TRY(recipe.file, file);
  recipe.manifest_file = recipe.file.lines.file();
  TRY(const proto::FileApplication* application,
      proto::find_application(recipe.file, options.app));
  recipe.application = *application;
  recipe.folder = !options.path.empty()         ? options.path
                  : options.image_file.empty() ? application->path
                                               : "";
  return recipe;
}

proto::Result<Draft> make_draft(const Recipe& recipe, const PushOptions& options,
                                const std::vector<proto::ImageSource>& built) {
  const proto::FileApplication* application = &recipe.application;
  Draft draft;
  draft.manifest = application->manifest;
  // No image says how much it wants.
  if (draft.manifest.memory_bytes() == 0) draft.manifest.set_memory_bytes(kDefaultMemoryBytes);
  draft.manifest_file = recipe.manifest_file;
  const std::string prefix = application->field_prefix + ".health";
  draft.health_place = recipe.file.lines.place_of(
      prefix + (draft.manifest.health().type() == fleet::v1::HEALTH_DNS ? ".query" : ".port"));
  std::vector<proto::ImageSource> sources = built;
  if (!options.image_file.empty()) {
    proto::ImageSource source;
    source.kernel = options.image_file;
    source.place = "--image";
    sources = {source};
  } else if (recipe.folder.empty()) {
    TRY(sources, resolve(recipe, options));
  }
  for (const proto::ImageSource& source : sources) {
    TRY_VOID(add_image(draft, source, recipe.application.format));
    TRY_VOID(check_volumes(draft.manifest, draft.images.back()));
    TRY_VOID(check_devices(draft.manifest, draft.images.back()));
  }
  TRY(std::vector<proto::LoadedFile> files, proto::load_files(*application));
  for (const DraftImage& image : draft.images) {
    TRY(const ConfigFacts facts, check_config(image.info.language, draft.manifest, files));
    draft.flows = facts.flows;
  }
  draft.manifest.clear_files();  // named by the parser; here they get their bytes
  for (proto::LoadedFile& loaded : files) {
    const ota::BlobRef ref{ota::sha256(loaded.bytes), loaded.bytes.size()};
    fleet::v1::File& entry = *draft.manifest.add_files();
    entry.set_path(loaded.path);
    entry.set_template_(loaded.is_template);
    set_blob(*entry.mutable_content(), ref);
    add_payload(draft, {ref, "", std::move(loaded.bytes)});
  }
  return draft;
}

std::string manifest_bytes(const AppManifest& manifest) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  // Maps in the order of their keys: one content, one digest.
  out.SetSerializationDeterministic(true);
  manifest.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

}  // namespace fleetctl
