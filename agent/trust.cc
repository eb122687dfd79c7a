#include "agent/trust.h"

#include <algorithm>
#include <utility>

#include "ota/remote.h"
#include "ota/repository.h"
#include "proto/limits.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

std::string as_text(const std::vector<std::byte>& bytes) {
  std::string text(bytes.size(), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) text[i] = static_cast<char>(bytes[i]);
  return text;
}

// Answers nothing: what is stored is all there is.
class NoSource final : public ota::MetadataSource {
 public:
  Result<std::string> fetch(std::string_view, std::size_t) override {
    return Error{Code::unreachable, "offline", ""};
  }
};

void note(const ota::Updater& updater, MetadataFacts& facts) {
  facts.timestamp_keys = updater.timestamp_keys();
  if (!updater.ready()) return;
  const ota::TrustedSet& trusted = updater.trusted();
  facts.root_version = static_cast<std::uint64_t>(trusted.root().value.header.version);
  if (trusted.timestamp() != nullptr) {
    facts.timestamp_version =
        static_cast<std::uint64_t>(trusted.timestamp()->value.header.version);
    facts.timestamp_expires_s = trusted.timestamp()->value.header.expires;
  }
  facts.issued_floor_s = updater.issued_floor();
}

// What the app's role says of yanks. errors not_signed (nothing is published for it) | those of TUF
Status note_yanks(ota::Updater& updater, std::string_view app, MetadataFacts& facts) {
  TRY(const auto* role, updater.load_role(ota::app_role_name(app)));
  TRY(const auto listed, ota::releases_of(role->value, app));
  for (const ota::ListedRelease& one : listed) {
    if (!one.yanked) continue;
    facts.yanked[std::string(app)].insert(static_cast<std::uint64_t>(one.number));
  }
  return {};
}

Status check_listed(ota::Updater& updater, std::string_view app, const ota::BlobRef& blob) {
  TRY(const ota::FoundTarget target, updater.find_target(ota::blob_path(app, blob.digest)));
  const bool same = target.file.hashes.sha256 == blob.digest &&
                    std::cmp_equal(target.file.length_bytes, blob.size_bytes);
  if (same) return {};
  return Error{Code::bad_metadata,
               "the manifest and the signed list disagree about blob " + blob.digest.hex(),
               std::string(app)};
}

Status check_blobs(ota::Updater& updater, const fleet::v1::AppManifest& manifest) {
  for (const fleet::v1::Image& image : manifest.images()) {
    TRY(const auto blobs, image_blobs(image));
    for (const ota::BlobRef& blob : blobs) {
      TRY_VOID(check_listed(updater, manifest.name(), blob));
    }
  }
  TRY(const auto files, file_blobs(manifest));
  for (const ota::BlobRef& blob : files) TRY_VOID(check_listed(updater, manifest.name(), blob));
  return {};
}

Result<ota::BlobRef> manifest_ref(const ota::TargetFile& file, const std::string& path) {
  if (!file.hashes.sha256 || file.length_bytes <= 0) {
    return Error{Code::bad_metadata, path + " is listed without SHA-256 or length", ""};
  }
  if (std::cmp_greater(file.length_bytes, proto::kMaxManifestBytes)) {
    return Error{Code::too_large,
                 path + " has " + std::to_string(file.length_bytes) + " bytes; a manifest has at "
                 "most " + std::to_string(proto::kMaxManifestBytes), ""};
  }
  return ota::BlobRef{*file.hashes.sha256, static_cast<std::uint64_t>(file.length_bytes)};
}

}  // namespace

std::int64_t trusted_now(const TimeFacts& facts) {
  if (facts.wall_s < facts.floor_s) return facts.floor_s;
  const bool before_root_ends = facts.root_expires_s == 0 || facts.wall_s < facts.root_expires_s;
  return before_root_ends || facts.synchronised ? facts.wall_s : facts.floor_s;
}

bool is_transient(Code code) {
  return code == Code::unreachable || code == Code::timeout || code == Code::closed ||
         code == Code::unavailable;
}

Result<ota::BlobRef> to_ref(const fleet::v1::Blob& blob) {
  auto digest = ota::Sha256::from_hex(blob.sha256());
  if (!digest) {
    return Error{Code::bad_manifest, "a blob's sha256 is not 64 hex digits", blob.sha256()};
  }
  return ota::BlobRef{*digest, blob.size_bytes()};
}

Result<std::vector<ota::BlobRef>> image_blobs(const fleet::v1::Image& image) {
  std::vector<ota::BlobRef> out;
  for (const fleet::v1::Blob* blob : {&image.kernel(), &image.initrd(), &image.disk()}) {
    if (blob->sha256().empty()) continue;
    TRY(const ota::BlobRef ref, to_ref(*blob));
    out.push_back(ref);
  }
  return out;
}

Result<std::vector<ota::BlobRef>> file_blobs(const fleet::v1::AppManifest& manifest) {
  std::vector<ota::BlobRef> out;
  for (const fleet::v1::File& file : manifest.files()) {
    TRY(const ota::BlobRef ref, to_ref(file.content()));
    out.push_back(ref);
  }
  return out;
}

Status Trust::bootstrap(std::string_view root_json) {
  TRY_VOID(disk_.make_directory(kMetadataDirectory));
  NoSource source;
  ota::Updater updater(source, store_);
  return updater.bootstrap(root_json);
}

std::int64_t Trust::root_expires_s() {
  auto bytes = store_.read("root.json", proto::kMaxRootBytes);
  if (!bytes) return 0;
  auto root = ota::parse_root(*bytes);
  return root ? root->value.header.expires : 0;
}

MetadataFacts Trust::stored() {
  MetadataFacts facts;
  NoSource source;
  ota::Updater updater(source, store_);
  if (updater.load_stored()) {
    note(updater, facts);
    return facts;
  }
  // Before the first refresh there is a root and no more.
  auto bytes = store_.read("root.json", proto::kMaxRootBytes);
  if (!bytes) return facts;
  auto root = ota::parse_root(*bytes);
  if (root) facts.root_version = static_cast<std::uint64_t>(root->value.header.version);
  return facts;
}

Result<VerifiedRelease> Trust::find_release(ota::Fetch& fetch, std::string_view app,
                                            std::uint64_t release, std::int64_t now_s,
                                            MetadataFacts& facts) {
  ota::RemoteMetadata source(fetch, kMetadataPath);
  ota::Updater updater(source, store_);
  const Status refreshed = updater.refresh(now_s);
  note(updater, facts);
  if (!refreshed) return refreshed.error();
  facts.refreshed = true;

  TRY_VOID(note_yanks(updater, app, facts));
  const std::string path = ota::manifest_path(app, static_cast<std::int64_t>(release));
  TRY(const ota::FoundTarget found, updater.find_target(path));
  VerifiedRelease verified;
  TRY(verified.manifest_ref, manifest_ref(found.file, path));

  TRY(const auto bytes,
      ota::fetch_to_memory(fetch, kBlobsPath + verified.manifest_ref.digest.hex(),
                           static_cast<std::size_t>(verified.manifest_ref.size_bytes)));
  verified.manifest_bytes = as_text(bytes);
  verified.fetched_bytes = bytes.size();
  if (bytes.size() != verified.manifest_ref.size_bytes ||
      ota::sha256(verified.manifest_bytes) != verified.manifest_ref.digest) {
    return Error{Code::bad_digest, path + ": the bytes are not those that were signed",
                 std::string(app)};
  }
  fleet::v1::AppManifest& manifest = verified.manifest;
  if (!manifest.ParseFromString(verified.manifest_bytes)) {
    return Error{Code::bad_manifest, path + " is no AppManifest", std::string(app)};
  }
  if (manifest.name() != app || manifest.release() != release) {
    return Error{Code::bad_manifest,
                 path + " says it is " + manifest.name() + " " +
                     std::to_string(manifest.release()), std::string(app)};
  }
  TRY_VOID(check_blobs(updater, manifest));
  return verified;
}

Status Trust::look(ota::Fetch& fetch, const std::vector<std::string>& apps, std::int64_t now_s,
                   MetadataFacts& facts) {
  ota::RemoteMetadata source(fetch, kMetadataPath);
  ota::Updater updater(source, store_);
  const Status refreshed = updater.refresh(now_s);
  note(updater, facts);
  if (!refreshed) return refreshed;
  facts.refreshed = true;
  Status first;
  for (const std::string& app : apps) {
    const Status read = note_yanks(updater, app, facts);
    if (!read && read.error().code != Code::not_signed && first) first = read;
  }
  return first;
}

}  // namespace agent
