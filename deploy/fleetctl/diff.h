// What a new release changes, in the words of manifest.yml. Pure.
#pragma once

#include <string>
#include <vector>

#include "fleet/v1/app.pb.h"

namespace fleetctl {

/// One attribute of a manifest as people write it: "images.x86_64/spt", "sha256:9c1f04aa  412 KiB".
struct Attribute {
  std::string label;
  std::string value;
  bool operator==(const Attribute&) const = default;
};

/// Every attribute that is set, in the order of the schema. Lists of names (images, files,
/// interfaces) are labelled by their name, so that a moved entry is no change.
std::vector<Attribute> attributes_of(const fleet::v1::AppManifest& manifest);

/// Lines "  - label  value" and "  + label  value", and the memory for orientation; values in one
/// column. Only the release number differs: no line at all.
std::vector<std::string> diff_lines(const fleet::v1::AppManifest& before,
                                    const fleet::v1::AppManifest& after);

/// Bytes of images and files in `after` that `before` does not have.
std::uint64_t new_bytes(const fleet::v1::AppManifest& before, const fleet::v1::AppManifest& after);

/// "x86_64/spt"
std::string image_key(const fleet::v1::Image& image);
/// Every blob of the manifest, once each: kernels, initrds, disks, files.
std::vector<fleet::v1::Blob> blobs_of(const fleet::v1::AppManifest& manifest);

}  // namespace fleetctl
