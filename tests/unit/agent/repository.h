// A TUF repository in memory: signed by ota/repository as fleetctl and the controller do, served as
// files by path. Tests break it on purpose.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/ports.h"
#include "fleet/v1/app.pb.h"
#include "ota/repository.h"

namespace tests {

/// A valid manifest of one image for this CPU with dns health, published on 53/udp.
fleet::v1::AppManifest make_manifest(const std::string& app, std::uint64_t release);

class Repository {
 public:
  explicit Repository(std::int64_t now_s);

  /// Signs the release and publishes it; fills the image's blob from `image`.
  void add(fleet::v1::AppManifest manifest, const std::string& image);
  /// Marks releases as yanked and publishes.
  void yank(const std::string& app, std::int64_t release);
  /// A next root with another key for snapshot and timestamp, and both signed by it.
  void rotate_online_keys();
  /// Publishes new snapshot and timestamp as of `now_s`.
  void publish();

  std::string root_json() const { return root_json_; }
  std::map<std::string, std::string> files;  // by URL path
  std::int64_t now_s;

 private:
  struct AppRole {
    ota::SigningKey key = ota::SigningKey::generate();
    std::unique_ptr<ota::Targets> role;
  };
  void put_metadata(const std::string& role, std::int64_t version, const std::string& bytes);

  ota::SigningKey root_key_ = ota::SigningKey::generate();
  ota::SigningKey targets_key_ = ota::SigningKey::generate();
  ota::SigningKey online_key_ = ota::SigningKey::generate();
  ota::Root root_;
  ota::Targets targets_;
  std::map<std::string, AppRole> apps_;
  std::map<std::string, ota::MetaFile> described_;
  std::string root_json_;
  std::int64_t snapshot_version_ = 0;
  std::int64_t timestamp_version_ = 0;
};

/// What went over the wire, and what shall go wrong on it.
struct Wire {
  std::vector<std::string> paths;
  std::uint64_t blob_bytes = 0;
  int failures_left = 0;
  proto::Code failure = proto::Code::unreachable;
  std::string lost_part;              // requests with it in their path are unreachable; "": none
  std::uint64_t cut_blobs_after = 0;  // 0: never; else a blob request ends `closed` after so many
};

/// Serves a Repository through the fetch port.
class FakeFetchPort final : public agent::FetchPort {
 public:
  FakeFetchPort(Repository& repository, Wire& wire) : repository_(repository), wire_(wire) {}
  std::unique_ptr<ota::Fetch> open() override;

 private:
  Repository& repository_;
  Wire& wire_;
};

}  // namespace tests
