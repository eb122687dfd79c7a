#include "deploy/fleetctl/catalog.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "deploy/fleetctl/draft.h"
#include "deploy/fleetctl/installed.h"
#include "deploy/fleetctl/text.h"
#include "images/inspect.h"
#include "proto/document.h"

namespace fleetctl {
namespace {

namespace fs = std::filesystem;
using proto::Code;

constexpr const char* kManifestName = "manifest.yml";

// Whatever else lies there is no image: manifest, files, symbols.
void add_images(const fs::path& folder, CatalogEntry& entry) {
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    if (!file.is_regular_file(error)) continue;
    const std::string path = file.path().string();
    const auto info = images::inspect_file(path);
    if (!info || !info->obstacle.empty() || info->platform == images::Platform::unknown) continue;
    if (info->arch != images::Arch::x86_64 && info->arch != images::Arch::aarch64) continue;
    entry.images.push_back({path, static_cast<fleet::v1::Arch>(info->arch),
                            static_cast<fleet::v1::Platform>(info->platform),
                            file.file_size(error), info->summary});
  }
  std::sort(entry.images.begin(), entry.images.end(), [](const auto& one, const auto& other) {
    return std::tie(one.arch, one.platform, one.path) <
           std::tie(other.arch, other.platform, other.path);
  });
}

proto::Result<CatalogEntry> read_entry(const fs::path& folder) {
  CatalogEntry entry;
  entry.name = folder.filename().string();
  entry.manifest_file = (folder / kManifestName).string();
  TRY(const proto::ManifestFile file, proto::load_manifest(entry.manifest_file));
  TRY(const proto::FileApplication* application, proto::find_application(file, ""));
  entry.app = application->manifest.name();
  entry.description = application->manifest.description();
  add_images(folder, entry);
  return entry;
}

}  // namespace

std::string image_kinds(const CatalogEntry& entry) {
  std::map<fleet::v1::Arch, std::vector<std::string>> platforms;
  for (const CatalogImage& image : entry.images) {
    platforms[image.arch].push_back(proto::word_of(image.platform));
  }
  std::vector<std::string> parts;
  for (const auto& [arch, words] : platforms) {
    const std::string all = join(words, ",");
    parts.push_back(proto::word_of(arch) + "/" + (words.size() == 1 ? all : "{" + all + "}"));
  }
  return join(parts, " ");
}

proto::Result<Catalog> read_catalog(const std::string& given) {
  Catalog catalog;
  TRY(catalog.folder, find_installed(kCatalogFolder, given));
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(catalog.folder, error)) {
    if (!fs::exists(folder.path() / kManifestName, error)) continue;
    auto entry = read_entry(folder.path());
    if (entry) {
      catalog.entries.push_back(std::move(*entry));
    } else {
      catalog.unreadable.push_back(entry.error().what);
    }
  }
  std::sort(catalog.entries.begin(), catalog.entries.end(),
            [](const CatalogEntry& one, const CatalogEntry& other) {
              return one.name < other.name;
            });
  return catalog;
}

proto::Result<CatalogEntry> find_entry(const Catalog& catalog, const std::string& name) {
  std::vector<std::string> names;
  for (const CatalogEntry& entry : catalog.entries) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  for (const CatalogEntry& entry : catalog.entries) {
    if (entry.app == name) return entry;
    names.push_back(entry.app);
  }
  const std::string nearest = proto::nearest_word(name, names);
  return proto::Error{Code::not_found,
                      "the catalog has no app " + visible(name) +
                          (nearest.empty() ? "" : "; nearest: " + visible(nearest)) +
                          "\nsee what there is:  fleetctl catalog", name};
}

proto::Result<std::vector<proto::ImageSource>> catalog_images(
    const Catalog& catalog, const proto::ImageSource& source) {
  TRY(const CatalogEntry entry, find_entry(catalog, source.catalog));
  std::vector<proto::ImageSource> found;
  for (const CatalogImage& image : entry.images) {
    if (source.arch != fleet::v1::ARCH_UNSPECIFIED && source.arch != image.arch) continue;
    const bool any = source.platform == fleet::v1::PLATFORM_UNSPECIFIED;
    if (!any && source.platform != image.platform) continue;
    proto::ImageSource& one = found.emplace_back(source);
    one.arch = image.arch;
    one.platform = image.platform;
    one.kernel = image.path;
  }
  if (!found.empty()) return found;
  return proto::Error{Code::not_found,
                      source.place + ": the catalog's " + entry.name + " has no such image; it "
                      "has " + (entry.images.empty() ? "none" : image_kinds(entry)), entry.name};
}

}  // namespace fleetctl
