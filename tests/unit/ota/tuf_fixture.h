// A small TUF repository in memory, made with ota/repository like a real one, and a source that
// serves it, counts the requests and can be told to lie.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ota/repository.h"
#include "ota/updater.h"

namespace tuf {

using ota::Code;
using ota::SigningKey;

inline constexpr std::int64_t kNow = 1'800'000'000;
inline const std::string kManifest = "manifest of dns 1";
inline const std::string kImage = "image of dns 1";

inline ota::BlobRef blob(const std::string& bytes) {
  return {ota::sha256(bytes), bytes.size()};
}

/// Served files by name, and what was asked for.
class MemorySource final : public ota::MetadataSource {
 public:
  ota::Result<std::string> fetch(std::string_view file_name, std::size_t max_bytes) override {
    requests.emplace_back(file_name);
    const auto found = files.find(std::string(file_name));
    if (found == files.end()) return ota::Error{Code::not_found, "404", ""};
    if (!keeps_to_limits) return found->second;
    if (found->second.size() > max_bytes) return ota::Error{Code::too_large, "too large", ""};
    return found->second;
  }

  std::map<std::string, std::string> files;
  std::vector<std::string> requests;
  bool keeps_to_limits = true;
};

/// The signer's side. Change the values, then publish().
struct Repository {
  SigningKey root_key = SigningKey::generate();
  SigningKey targets_key = SigningKey::generate();
  SigningKey snapshot_key = SigningKey::generate();
  SigningKey timestamp_key = SigningKey::generate();
  SigningKey app_key = SigningKey::generate();

  ota::Root root;
  ota::Targets targets;
  std::map<std::string, ota::Targets> delegated;           // by role
  std::map<std::string, const SigningKey*> delegated_key;  // by role; app_key if not named
  std::int64_t snapshot_version = 0;
  std::int64_t timestamp_version = 0;
  std::int64_t now = kNow;
  bool with_digests = true;  // in snapshot and timestamp
  std::string root_bytes;
  std::map<std::string, std::string> files;  // all that is served, as clients ask for it

  Repository() {
    ota::RootPlan plan;
    plan.root_keys = {root_key.public_key()};
    plan.targets_keys = {targets_key.public_key()};
    plan.snapshot_keys = {snapshot_key.public_key()};
    plan.timestamp_keys = {timestamp_key.public_key()};
    auto made = ota::make_root(plan, now);
    EXPECT_TRUE(made.has_value());
    root = *made;
    targets = ota::make_targets(now);
    EXPECT_TRUE(ota::delegate_app(targets, "dns", app_key.public_key()).has_value());
    const ota::ListedRelease first{1, blob(kManifest), {blob(kImage)}, false};
    auto role = ota::next_app_role(nullptr, "dns", first, {}, now);
    EXPECT_TRUE(role.has_value());
    delegated.insert_or_assign("apps.dns", *role);
    publish_root({&root_key});
    publish();
  }

  void publish_root(const std::vector<const SigningKey*>& keys) {
    root_bytes = ota::sign(root, keys);
    files[ota::metadata_file_name("root", root.header.version)] = root_bytes;
  }

  void put(const std::string& role, std::int64_t version, const std::string& bytes) {
    const bool consistent = root.consistent_snapshot;
    files[consistent ? ota::metadata_file_name(role, version) : ota::metadata_file_name(role)] =
        bytes;
  }

  ota::MetaFile describe(const std::string& bytes, std::int64_t version) const {
    ota::MetaFile file = ota::describe(bytes, version);
    if (!with_digests) {
      file.length_bytes.reset();
      file.hashes.reset();
    }
    return file;
  }

  /// Signs all but root anew and serves it.
  void publish() {
    std::map<std::string, ota::MetaFile> meta;
    const SigningKey* key = &targets_key;
    const std::string top = ota::sign(targets, std::span(&key, 1));
    meta["targets.json"] = describe(top, targets.header.version);
    put("targets", targets.header.version, top);
    for (const auto& [role, value] : delegated) {
      const auto own = delegated_key.find(role);
      const SigningKey* signer = own != delegated_key.end() ? own->second : &app_key;
      const std::string bytes = ota::sign(value, std::span(&signer, 1));
      meta[role + ".json"] = describe(bytes, value.header.version);
      put(role, value.header.version, bytes);
    }
    publish_online(std::move(meta));
  }

  void publish_online(std::map<std::string, ota::MetaFile> meta) {
    const ota::Snapshot snapshot = ota::make_snapshot(snapshot_version, std::move(meta), now);
    snapshot_version = snapshot.header.version;
    const SigningKey* key = &snapshot_key;
    publish_snapshot(snapshot, ota::sign(snapshot, std::span(&key, 1)));
  }

  void publish_snapshot(const ota::Snapshot& snapshot, const std::string& bytes) {
    put("snapshot", snapshot.header.version, bytes);
    const ota::Timestamp timestamp =
        ota::make_timestamp(timestamp_version, describe(bytes, snapshot.header.version), now);
    timestamp_version = timestamp.header.version;
    publish_timestamp(timestamp);
  }

  void publish_timestamp(const ota::Timestamp& timestamp) {
    const SigningKey* key = &timestamp_key;
    files["timestamp.json"] = ota::sign(timestamp, std::span(&key, 1));
  }

  /// The served file of a role, whatever its version.
  std::string served(const std::string& role) const {
    std::int64_t version = 0;
    if (role == "root") version = root.header.version;
    if (role == "snapshot") version = snapshot_version;
    if (role == "targets") version = targets.header.version;
    const auto found = delegated.find(role);
    if (found != delegated.end()) version = found->second.header.version;
    const bool versioned =
        role != "timestamp" && (root.consistent_snapshot || role == "root");
    return versioned ? ota::metadata_file_name(role, version) : ota::metadata_file_name(role);
  }
};

/// One client with a store of its own, which was given the repository's first root.
struct Client {
  MemorySource source;
  ota::MemoryMetadataStore store;
  ota::Updater updater{source, store};

  explicit Client(const Repository& repository) {
    source.files = repository.files;
    EXPECT_TRUE(updater.bootstrap(repository.root_bytes).has_value());
  }

  ota::Status refresh(const Repository& repository) {
    source.files = repository.files;
    source.requests.clear();
    return updater.refresh(repository.now);
  }
};

/// The code of a result, `unset` when it is good: for tables.
template <typename T>
Code code_of(const ota::Result<T>& result) {
  return result.has_value() ? Code::unset : result.error().code;
}

}  // namespace tuf
