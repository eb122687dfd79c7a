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
#include "proto/manifest.h"
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
  std::string flows;                 // of connections through it, in an update; "": none are
};

/// What is to be pushed, as a person wrote it.
struct Recipe {
  proto::ManifestFile file;
  proto::FileApplication application;  // one of the file's
  std::string manifest_file;
  std::string folder;                  // sources to build, "" = the images are there
};

/// in     options: app, manifest_file, image_file, path
/// errors bad_manifest, not_supported (file:line) | not_found (no manifest: how to get one)
proto::Result<Recipe> read_recipe(const PushOptions& options);

/// Reads, recognises and hashes everything.
/// in     options: image_file, catalog; built: images of the recipe's folder. Without them such a
///        draft has no image.
/// errors bad_manifest | not_found (a file; no image in the catalog) | bad_image | wrong_arch (an
///        image that is not what its entry says)
proto::Result<Draft> make_draft(const Recipe& recipe, const PushOptions& options,
                                const std::vector<proto::ImageSource>& built = {});

/// The release's bytes as they are signed and stored: the same for the same content.
std::string manifest_bytes(const fleet::v1::AppManifest& manifest);

}  // namespace fleetctl
