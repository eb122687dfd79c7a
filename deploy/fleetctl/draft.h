// A release before it has a number: the manifest with its images recognised, its files hashed, and
// where the bytes of each blob are. Nothing is sent, nothing is signed here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deploy/fleetctl/push.h"
#include "fleet/v1/app.pb.h"
#include "images/inspect.h"
#include "ota/blobs.h"
#include "proto/result.h"

namespace fleetctl {

/// Bytes that the controller must have: a file of this machine, or bytes at hand.
struct Payload {
  ota::BlobRef blob;
  std::string path;   // "" = `bytes`
  std::string bytes;
};

/// One image as the plan shows it.
struct DraftImage {
  std::string key;    // "x86_64/spt"
  std::string path;
  images::ImageInfo info;
  std::string initrd_path;  // "" if there is none
};

struct Draft {
  fleet::v1::AppManifest manifest;   // all but the release number
  std::vector<DraftImage> images;
  std::vector<Payload> payloads;     // once each
  std::string manifest_file;
  std::string health_place;          // "manifest.yml:45", where the health check says its port
};

/// in     options: app, manifest_file, image_file
/// errors bad_manifest, not_supported (file:line) | not_found (a file) | bad_image | wrong_arch
///        (an image that is not what its entry says)
proto::Result<Draft> load_draft(const PushOptions& options);

/// The release's bytes as they are signed and stored: the same for the same content.
std::string manifest_bytes(const fleet::v1::AppManifest& manifest);

}  // namespace fleetctl
