// Makes a repository as fleetctl and the controller do, for other implementations to read:
// root by two of three keys, a second root with another timestamp key, an app's role below targets.
//   tuf_make_repository DIR    fills DIR/metadata and DIR/targets, which must exist
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "ota/repository.h"

namespace {

using ota::SigningKey;

constexpr const char* kManifest = "the manifest of dns 1";
constexpr const char* kImage = "the image of dns 1";

ota::BlobRef blob(std::string_view bytes) { return {ota::sha256(bytes), bytes.size()}; }

template <typename T>
T value_of(ota::Result<T> result) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "tuf_make_repository: %s\n", result.error().what.c_str());
  std::exit(1);
}

struct Folder {
  std::string path;
  bool good = true;

  void put(const std::string& name, std::string_view bytes) {
    std::ofstream file(path + "/" + name, std::ios::binary);
    file << bytes << std::flush;
    good = good && file.good();
  }
  void put_target(std::string_view path_of_target, std::string_view bytes) {
    ota::TargetFile file;
    file.hashes.sha256 = ota::sha256(bytes);
    std::string name = ota::target_file_path(path_of_target, file, true);
    for (char& c : name) c = c == '/' ? '!' : c;  // one flat folder
    put("targets/" + name, bytes);
  }
};

struct Keys {
  SigningKey root_a = SigningKey::generate();
  SigningKey root_b = SigningKey::generate();
  SigningKey root_c = SigningKey::generate();
  SigningKey targets = SigningKey::generate();
  SigningKey snapshot = SigningKey::generate();
  SigningKey old_timestamp = SigningKey::generate();
  SigningKey timestamp = SigningKey::generate();
  SigningKey app = SigningKey::generate();
};

template <typename T>
std::string sign(const T& value, std::initializer_list<const SigningKey*> keys) {
  return ota::sign(value, std::span(keys.begin(), keys.size()));
}

void put_roots(Folder& folder, const Keys& keys, std::int64_t now) {
  ota::RootPlan plan;
  plan.root_keys = {keys.root_a.public_key(), keys.root_b.public_key(), keys.root_c.public_key()};
  plan.root_threshold = 2;
  plan.targets_keys = {keys.targets.public_key()};
  plan.snapshot_keys = {keys.snapshot.public_key()};
  plan.timestamp_keys = {keys.old_timestamp.public_key()};
  const ota::Root first = value_of(ota::make_root(plan, now));
  folder.put("metadata/1.root.json", sign(first, {&keys.root_a, &keys.root_b}));
  ota::Root second = ota::next_root(first, now);
  second.keys.erase(keys.old_timestamp.keyid());
  second.keys.insert_or_assign(keys.timestamp.keyid(), keys.timestamp.public_key());
  second.roles.at("timestamp").keyids = {keys.timestamp.keyid()};
  // By two people on two machines, one after the other.
  const std::string half = sign(second, {&keys.root_b});
  folder.put("metadata/2.root.json", value_of(ota::add_signature(half, keys.root_c)));
}

void put_release(Folder& folder, const Keys& keys, std::int64_t now) {
  ota::Targets targets = ota::make_targets(now);
  if (!ota::delegate_app(targets, "dns", keys.app.public_key())) std::abort();
  const ota::ListedRelease release{1, blob(kManifest), {blob(kImage)}, false};
  const ota::Targets role =
      value_of(ota::next_app_role(nullptr, "dns", release, {}, now));
  const std::string targets_bytes = sign(targets, {&keys.targets});
  const std::string role_bytes = sign(role, {&keys.app});
  folder.put("metadata/1.targets.json", targets_bytes);
  folder.put("metadata/1.apps.dns.json", role_bytes);
  const ota::Snapshot snapshot =
      ota::make_snapshot(0, {{"targets.json", ota::describe(targets_bytes, 1)},
                             {"apps.dns.json", ota::describe(role_bytes, 1)}}, now);
  const std::string snapshot_bytes = sign(snapshot, {&keys.snapshot});
  const std::int64_t version = snapshot.header.version;
  folder.put("metadata/" + ota::metadata_file_name("snapshot", version), snapshot_bytes);
  const ota::Timestamp timestamp =
      ota::make_timestamp(0, ota::describe(snapshot_bytes, version), now);
  folder.put("metadata/timestamp.json", sign(timestamp, {&keys.timestamp}));
  folder.put_target(ota::manifest_path("dns", 1), kManifest);
  folder.put_target(ota::blob_path("dns", ota::sha256(kImage)), kImage);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("tuf_make_repository DIR\n", stderr);
    return 2;
  }
  Folder folder{argv[1]};
  const Keys keys;
  const std::int64_t now = static_cast<std::int64_t>(std::time(nullptr));
  put_roots(folder, keys, now);
  put_release(folder, keys, now);
  return folder.good ? 0 : 1;
}
