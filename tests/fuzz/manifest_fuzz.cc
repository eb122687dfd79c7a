// manifest.yml is a person's text, but a pushed repository may be anybody's.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = proto::parse_manifest(text, "manifest.yml", "");
  if (!file) {
    FLEET_ASSERT(!file.error().what.empty());
    return 0;
  }
  for (const auto& application : file->applications) {
    // What was parsed keeps the rules, and they do not depend on when they are asked.
    FLEET_ASSERT(proto::check_manifest(application.manifest, proto::ManifestStage::unresolved));
    FLEET_ASSERT(proto::check_supported(application.manifest));
    FLEET_ASSERT(proto::check_known(application.manifest));
    // One without images takes the catalog's, or is built.
    for (const auto& image : application.images) {
      FLEET_ASSERT(!image.kernel.empty() || !image.disk.empty() || !image.catalog.empty());
    }
    FLEET_ASSERT(application.images.empty() || application.path.empty());
  }
  return 0;
}
