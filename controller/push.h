// A push and the other orders: what an operator asks for is checked whole, then stored whole (P1),
// and a rollout begins. Asked again with the same idempotency key it is the same rollout.
#pragma once

#include <string>
#include <vector>

#include "controller/fleet.h"
#include "controller/metadata.h"
#include "ota/blobs.h"

namespace controller {

/// Who asks: a token's name, and the groups that bound it (none: the whole fleet).
struct Asker {
  Asker(const char* text) : name(text) {}                    // NOLINT: a name alone is an asker
  Asker(std::string text) : name(std::move(text)) {}         // NOLINT
  Asker(std::string text, std::vector<std::string> bounds)
      : name(std::move(text)), groups(std::move(bounds)) {}

  std::string name;
  std::vector<std::string> groups;
};

class Pushes {
 public:
  Pushes(Store& store, Fleet& fleet, Metadata& metadata, ota::Blobs& blobs);

  /// in     key: the request's idempotency key, "" for none; request_text: the body, for telling a
  ///        repeated request from another one with the same key
  /// errors conflict (another version or number was faster: refresh, sign again) | bad_signature |
  ///        bad_metadata | not_found (a blob is missing: upload it first) | bad_digest |
  ///        bad_manifest | not_supported | bad_argument (selector) | yanked (this content was)
  /// after  survives power loss: release, metadata and rollout are there, all or none
  Result<rollout::Rollout> accept_push(const v1::PushRequest& request, const Asker& by,
                                       const std::string& key, const std::string& request_text,
                                       std::vector<std::string>& nearest);

  /// Stop, start, restart, delete, revert.
  Result<rollout::Rollout> accept_order(const v1::OrderRequest& request, const Asker& by,
                                        std::vector<std::string>& nearest);

  /// The devices a selector names. `nearest`: what there is instead, when it matches none.
  /// errors bad_argument | not_found (none; the element is "selector") | forbidden (it reaches
  ///        devices outside the asker's groups, which it names)
  Result<std::vector<Subject>> select(const std::string& selector, const Asker& by,
                                      std::vector<std::string>& nearest);

 private:
  Result<v1::AppManifest> read_manifest(const std::string& app, const Metadata::AppRole& role);
  Status check_not_yanked(const Metadata::AppRole& role, const v1::AppManifest& manifest);
  Status check_blobs(const ota::ListedRelease& release, const v1::AppManifest& manifest);
  Result<std::uint64_t> awaited_release(const std::string& device_id, const std::string& app);
  Result<std::vector<Wish>> wishes_of(const v1::OrderRequest& request,
                                      const std::vector<Subject>& devices);

  Store& store_;
  Fleet& fleet_;
  Metadata& metadata_;
  ota::Blobs& blobs_;
};

}  // namespace controller
