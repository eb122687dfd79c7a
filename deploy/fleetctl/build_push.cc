#include "deploy/fleetctl/build_push.h"

#include <algorithm>
#include <set>

#include "deploy/fleetctl/build.h"
#include "deploy/fleetctl/text.h"
#include "proto/document.h"

namespace fleetctl {

proto::Result<std::vector<SdkTarget>> targets_for(const Sdk& sdk,
                                                  const fleet::v1::DeviceList& devices) {
  std::set<fleet::v1::Arch> archs;
  for (const fleet::v1::Device& device : devices.devices()) {
    const fleet::v1::Arch arch = device.inventory().arch();
    archs.insert(arch == fleet::v1::ARCH_UNSPECIFIED ? own_arch() : arch);
  }
  std::vector<SdkTarget> targets;
  for (const SdkTarget& target : sdk.targets) {
    if (archs.count(target.arch) != 0) targets.push_back(target);
  }
  if (!targets.empty()) return targets;
  // The same words as `fleetctl build --arch` would end with.
  return choose_targets(sdk, {proto::word_of(*archs.begin())}, {});
}

proto::Result<std::vector<proto::ImageSource>> build_for(Program& program, const Recipe& recipe,
                                                         const PushOptions& options,
                                                         const fleet::v1::DeviceList& devices) {
  TRY(const Sdk sdk, open_sdk(options.sdk));
  BuildJob job;
  job.folder = recipe.folder;
  job.name = recipe.application.manifest.name();
  job.manifest = recipe.application.manifest;
  TRY(job.targets, targets_for(sdk, devices));
  TRY(const std::vector<BuiltImage> built, build_images(program, sdk, job));
  std::vector<proto::ImageSource> sources;
  for (const BuiltImage& image : built) {
    proto::ImageSource& source = sources.emplace_back();
    source.arch = image.target.arch;
    source.platform = image.target.platform;
    source.kernel = image.path;
    source.place = visible(recipe.folder);
  }
  return sources;
}

}  // namespace fleetctl
