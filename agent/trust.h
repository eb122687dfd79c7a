// Trust: a release as the operators signed it, or nothing. It runs the TUF client over a fetch
// session and hands back only what was vouched for: manifest, sizes and digests.
// It never opens an image, and never trusts the time of the clock chip below the signed floor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/state.h"
#include "fleet/v1/app.pb.h"
#include "ota/blobs.h"
#include "ota/disk.h"
#include "ota/fetch.h"
#include "ota/updater.h"
#include "proto/result.h"

namespace agent {

/// Where the controller and its mirrors serve devices (api.proto).
inline constexpr const char* kMetadataPath = "/device/v1/metadata/";
inline constexpr const char* kBlobsPath = "/device/v1/blobs/";
inline constexpr const char* kDeltasPath = "/device/v1/deltas/";
/// The directory of TUF metadata below the state directory.
inline constexpr const char* kMetadataDirectory = "metadata";

/// What `now` is made of. Unix seconds.
struct TimeFacts {
  std::int64_t wall_s = 0;
  std::int64_t floor_s = 0;         // the later of build time and stored floor
  std::int64_t root_expires_s = 0;  // 0: not known
  bool synchronised = false;        // says the kernel
};

/// The clock chip if it is believable, else the floor (DESIGN 4, "Time").
std::int64_t trusted_now(const TimeFacts& facts);

/// A release that its app's role lists today.
struct VerifiedRelease {
  fleet::v1::AppManifest manifest;
  std::string manifest_bytes;     // as they were signed
  ota::BlobRef manifest_ref;
  std::uint64_t fetched_bytes = 0;
};

/// What a look at the metadata taught, whether the release was found or not.
struct MetadataFacts {
  std::uint64_t root_version = 0;
  std::uint64_t timestamp_version = 0;
  std::int64_t issued_floor_s = 0;
  std::int64_t timestamp_expires_s = 0;  // 0: there is none
  std::string timestamp_keys;     // of the newest root; "" when no root was verified
  Yanked yanked;                  // what the app roles that were read call so
  bool refreshed = false;
};

class Trust {
 public:
  /// `disk` is the state directory and outlives it.
  explicit Trust(ota::Disk& disk) : disk_(disk), store_(disk, kMetadataDirectory) {}

  /// Makes the directory and stores the first root, which came with the bootstrap file. If one is
  /// stored already, that one stays. errors as ota::Updater::bootstrap
  proto::Status bootstrap(std::string_view root_json);
  /// When the stored root expires; 0 if none can be read.
  std::int64_t root_expires_s();
  /// The versions of what is stored; zeros if nothing is.
  MetadataFacts stored();

  /// Refreshes the metadata, finds the release, fetches its manifest and checks that every blob
  /// in it is listed with that size. Blocks: call it on the fetch thread.
  /// in     now_s: from trusted_now
  /// out    facts: filled as far as it got, also on an error
  /// errors those of TUF (bad_signature, expired, rollback, not_signed ...) | bad_digest |
  ///        bad_manifest (no AppManifest, or of another app or number) | as ota::Fetch
  proto::Result<VerifiedRelease> find_release(ota::Fetch& fetch, std::string_view app,
                                              std::uint64_t release, std::int64_t now_s,
                                              MetadataFacts& facts);
  /// Only looks: refreshes the metadata and reads the roles of these apps, for what they say of
  /// yanks. One that nothing is published for is passed over. Blocks as find_release does.
  /// errors those of TUF, of the first role that cannot be read; the others were read
  proto::Status look(ota::Fetch& fetch, const std::vector<std::string>& apps, std::int64_t now_s,
                     MetadataFacts& facts);

 private:
  ota::Disk& disk_;
  ota::DirectoryMetadataStore store_;
};

/// Whether a fetch that failed so may go well later: the world's fault, and maybe not for long.
bool is_transient(proto::Code code);

/// Every blob of an image, in the order kernel, initrd, disk. errors bad_manifest (no digest)
proto::Result<std::vector<ota::BlobRef>> image_blobs(const fleet::v1::Image& image);
/// The blobs of the manifest's `files`. errors bad_manifest
proto::Result<std::vector<ota::BlobRef>> file_blobs(const fleet::v1::AppManifest& manifest);
/// errors bad_manifest
proto::Result<ota::BlobRef> to_ref(const fleet::v1::Blob& blob);

}  // namespace agent
