#include "controller/push.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <set>
#include <utility>

#include "ota/hash.h"
#include "proto/limits.h"
#include "proto/log.h"
#include "proto/manifest.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::size_t kDevicesNamed = 10;

std::uint64_t blob_bytes(const v1::AppManifest& manifest) {
  std::uint64_t sum = 0;
  for (const v1::Image& image : manifest.images()) {
    sum += image.kernel().size_bytes() + image.initrd().size_bytes() + image.disk().size_bytes();
  }
  return sum;
}

// Every blob that the manifest names.
std::set<std::string> named_blobs(const v1::AppManifest& manifest) {
  std::set<std::string> names;
  for (const v1::Image& image : manifest.images()) {
    names.insert(image.kernel().sha256());
    if (image.has_initrd()) names.insert(image.initrd().sha256());
    if (image.has_disk()) names.insert(image.disk().sha256());
  }
  for (const v1::File& file : manifest.files()) names.insert(file.content().sha256());
  return names;
}

// What the device's other slot held before what runs, good or not any more; 0 if nothing.
std::uint64_t other_release(const v1::AppStatus& status) {
  const v1::SlotStatus& other = status.live_slot() == "A" ? status.b() : status.a();
  const bool same = other.release() == status.live_release();  // with the values before
  return (other.state() == v1::GOOD || other.state() == v1::BAD) && !same ? other.release() : 0;
}

// All of a release but its number, the same bytes for the same content.
std::string content_of(v1::AppManifest manifest) {
  manifest.clear_release();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    manifest.SerializeToCodedStream(&out);
  }
  return bytes;
}

Error reaches_outside(const std::string& selector, const Asker& by,
                      const std::vector<std::string>& outside) {
  std::string names;
  for (std::size_t i = 0; i < std::min(outside.size(), kDevicesNamed); ++i) {
    names += (i == 0 ? "" : ", ") + outside[i];
  }
  if (outside.size() > kDevicesNamed) {
    names += " and " + std::to_string(outside.size() - kDevicesNamed) + " more";
  }
  return {Code::forbidden,
          selector + " reaches " + names + ", outside the groups of token " + by.name +
              "; write --to " + by.groups.front() +
              (selector == "all" ? "" : "," + selector), "selector"};
}

v1::RolloutKind kind_of(v1::OrderKind order) {
  switch (order) {
    case v1::ORDER_REVERT: return v1::KIND_REVERT;
    case v1::ORDER_STOP: return v1::KIND_STOP;
    case v1::ORDER_START: return v1::KIND_START;
    case v1::ORDER_RESTART: return v1::KIND_RESTART;
    case v1::ORDER_DELETE: return v1::KIND_DELETE;
    default: return v1::ROLLOUT_KIND_UNSPECIFIED;
  }
}

}  // namespace

Pushes::Pushes(Store& store, Fleet& fleet, Metadata& metadata, ota::Blobs& blobs)
    : store_(store), fleet_(fleet), metadata_(metadata), blobs_(blobs) {}

Result<std::vector<Subject>> Pushes::select(const std::string& text, const Asker& by,
                                            std::vector<std::string>& nearest) {
  TRY(const Selector selector, parse_selector(text));
  TRY(auto fleet, store_.subjects());
  std::vector<Subject> matched;
  std::vector<std::string> outside;
  for (const Subject& subject : fleet) {
    if (!selector.matches(subject)) continue;
    if (!is_within(by.groups, subject)) outside.push_back(subject.name);
    matched.push_back(subject);
  }
  if (!outside.empty()) return reaches_outside(text, by, outside);
  std::erase_if(fleet, [&by](const Subject& subject) { return !is_within(by.groups, subject); });
  if (matched.empty()) {
    Suggestion suggestion = suggest(selector, text, fleet);
    nearest = std::move(suggestion.nearest);
    return Error{Code::not_found,
                 text + " matches none of " + std::to_string(fleet.size()) +
                     (fleet.size() == 1 ? " device" : " devices") +
                     (suggestion.message.empty() ? "" : "; " + suggestion.message), "selector"};
  }
  return matched;
}

Result<v1::AppManifest> Pushes::read_manifest(const std::string& app,
                                              const Metadata::AppRole& role) {
  const auto bytes = blobs_.read_verified(role.newest.manifest, proto::kMaxManifestBytes);
  if (!bytes) return bytes.error().with("the manifest of " + app);
  v1::AppManifest manifest;
  if (!manifest.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) {
    return Error{Code::bad_manifest, "the manifest's bytes are no AppManifest", app};
  }
  TRY_VOID(proto::check_known(manifest));
  TRY_VOID(proto::check_manifest(manifest, proto::ManifestStage::complete));
  TRY_VOID(proto::check_supported(manifest));
  const bool same = manifest.name() == app &&
                    manifest.release() == static_cast<std::uint64_t>(role.newest.number);
  if (!same) {
    return Error{Code::bad_manifest,
                 "the manifest says " + manifest.name() + " " +
                     std::to_string(manifest.release()) + ", its target says " + app + " " +
                     std::to_string(role.newest.number), app};
  }
  return manifest;
}

Status Pushes::check_blobs(const ota::ListedRelease& release, const v1::AppManifest& manifest) {
  std::set<std::string> listed;
  for (const ota::BlobRef& blob : release.blobs) {
    listed.insert(blob.digest.hex());
    if (!blobs_.has(blob)) {
      return Error{Code::not_found,
                   "blob " + blob.digest.hex() + " (" + std::to_string(blob.size_bytes) +
                       " bytes) is not here; upload it before the push", blob.digest.hex()};
    }
  }
  for (const std::string& name : named_blobs(manifest)) {
    if (listed.count(name) == 0) {
      return Error{Code::not_signed, "the manifest names blob " + name +
                   ", which the app's role does not list", name};
    }
  }
  return {};
}

// Neither a release that is yanked already, nor the content of one under a new number.
Status Pushes::check_not_yanked(const Metadata::AppRole& role, const v1::AppManifest& manifest) {
  const auto refusal = [&manifest](std::int64_t number) {
    return Error{Code::yanked,
                 manifest.name() + " " + std::to_string(number) +
                     " was yanked; its content is on no device's way any more: mend it and push",
                 manifest.name()};
  };
  if (role.newest.yanked) return refusal(role.newest.number);
  const std::string content = content_of(manifest);
  TRY(const auto listed, ota::releases_of(role.role.value, manifest.name()));
  for (const ota::ListedRelease& release : listed) {
    if (!release.yanked) continue;
    TRY(const auto row, store_.release(manifest.name(), release.number));
    if (row && content_of(row->manifest) == content) return refusal(release.number);
  }
  return {};
}

Result<rollout::Rollout> Pushes::accept_push(const v1::PushRequest& request,
                                             const Asker& by, const std::string& key,
                                             const std::string& request_text,
                                             std::vector<std::string>& nearest) {
  const std::string request_hash = ota::sha256(request_text).hex();
  if (!key.empty()) {
    TRY(const auto before, store_.idempotent_push(key));
    if (before) {
      if (before->request_sha256 != request_hash) {
        return Error{Code::conflict, "this idempotency key came with another push before", key};
      }
      TRY(const auto rollout, store_.rollout(before->rollout));
      FLEET_ASSERT(rollout.has_value());
      return *rollout;
    }
  }
  TRY(const auto devices, select(request.selector(), by, nearest));
  TRY(const Metadata::AppRole role,
      metadata_.check_app_role(request.app(), request.app_metadata()));
  if (static_cast<std::uint64_t>(role.newest.number) != request.release()) {
    return Error{Code::conflict,
                 "the signed role's newest release is " + std::to_string(role.newest.number) +
                     ", the push says " + std::to_string(request.release()), request.app()};
  }
  TRY(const v1::AppManifest manifest, read_manifest(request.app(), role));
  TRY_VOID(check_blobs(role.newest, manifest));
  TRY_VOID(check_not_yanked(role, manifest));

  rollout::Rollout plan;
  plan.kind = request.stage_only() ? v1::KIND_STAGE : v1::KIND_PUSH;
  plan.app = request.app();
  plan.release = request.release();
  TRY(plan.previous_release, fleet_.wanted_release(plan.app));
  plan.selector = request.selector();
  plan.by = by.name;
  plan.within = by.groups;
  plan.require_all = request.require_all();
  plan.policy = proto::policy_of(manifest.rollout(), request.strategy(), devices.size());
  plan.device_deadline_ms = static_cast<std::int64_t>(plan.policy.device_deadline_ms());
  std::vector<Wish> wishes;
  for (const Subject& device : devices) wishes.push_back({device, {}});
  const auto also = [&](const rollout::Rollout& begun) -> Status {
    ReleaseRow release;
    release.app = request.app();
    release.number = role.newest.number;
    release.created_ms = begun.created_ms;
    release.by = by.name;
    release.key_id = role.key_id;
    release.manifest_sha256 = role.newest.manifest.digest.hex();
    release.size_bytes = static_cast<std::int64_t>(blob_bytes(manifest));
    release.manifest = manifest;
    TRY_VOID(store_.add_release(release));
    TRY_VOID(metadata_.store_app_role(request.app(), role));
    if (key.empty()) return {};
    return store_.add_idempotent_push(key, {request_hash, begun.number}, begun.created_ms);
  };
  return fleet_.begin(std::move(plan), std::move(wishes), also);
}

// The release that a rollout will bring to the device when its turn comes; 0: none.
Result<std::uint64_t> Pushes::awaited_release(const std::string& device_id,
                                              const std::string& app) {
  TRY(const auto open, store_.open_rollouts_of(device_id));
  std::uint64_t release = 0;
  for (const std::int64_t number : open) {
    TRY(const auto rollout, store_.rollout(number));
    if (rollout && rollout->app == app && rollout::is_release(rollout->kind)) {
      release = std::max(release, rollout->release);
    }
  }
  return release;
}

// The devices that have the app, each with what the order makes of its wish.
Result<std::vector<Wish>> Pushes::wishes_of(const v1::OrderRequest& request,
                                            const std::vector<Subject>& devices) {
  std::vector<Wish> wishes;
  for (const Subject& device : devices) {
    TRY(const auto desired, store_.desired_app(device.id, request.app()));
    TRY(const auto row, store_.device(device.id));
    const v1::AppStatus& status = status_of(row->facts, request.app());
    const bool has = desired || !status.app().empty();
    // One that waits for its turn in a push has nothing yet that could be started or go back.
    const bool ends = request.kind() == v1::ORDER_STOP || request.kind() == v1::ORDER_DELETE;
    std::uint64_t awaited = 0;
    if (!has && ends) {
      TRY(awaited, awaited_release(device.id, request.app()));
    }
    if (!has && awaited == 0) continue;
    if (request.release() != 0) {
      const bool runs = status.live_release() == request.release();
      const bool leaves = desired && desired->release() > request.release();
      if (!runs || leaves) continue;
    }
    if (desired && desired->run() == v1::REMOVE) continue;
    Wish wish{device, desired.value_or(v1::DesiredApp())};
    if (!desired) wish.desired.set_release(has ? status.live_release() : awaited);
    switch (request.kind()) {
      case v1::ORDER_STOP: wish.desired.set_run(v1::STOP); break;
      case v1::ORDER_DELETE: wish.desired.set_run(v1::REMOVE); break;
      case v1::ORDER_RESTART:
        wish.desired.set_run(v1::RUN);  // begin() raises the count
        break;
      case v1::ORDER_REVERT: {
        const std::uint64_t other = other_release(status);
        // Without another slot that we know of the device is asked all the same, and says why not.
        const std::uint64_t asked =
            other != 0 ? other : std::max<std::uint64_t>(wish.desired.release(), 2) - 1;
        wish.desired.set_release(asked);
        wish.desired.set_fall_back(asked);
        wish.desired.set_run(v1::RUN);
        break;
      }
      default: wish.desired.set_run(v1::RUN); break;
    }
    wishes.push_back(std::move(wish));
  }
  return wishes;
}

Result<rollout::Rollout> Pushes::accept_order(const v1::OrderRequest& request,
                                              const Asker& by,
                                              std::vector<std::string>& nearest) {
  const v1::RolloutKind kind = kind_of(request.kind());
  if (kind == v1::ROLLOUT_KIND_UNSPECIFIED) {
    return Error{Code::bad_argument, "kind: one of ORDER_REVERT, ORDER_STOP, ORDER_START,"
                 " ORDER_RESTART, ORDER_DELETE", "kind"};
  }
  TRY(const auto devices, select(request.selector(), by, nearest));
  TRY(auto wishes, wishes_of(request, devices));
  if (wishes.empty()) {
    return Error{Code::not_found,
                 "none of the " + std::to_string(devices.size()) + " devices of " +
                     request.selector() +
                     (request.release() != 0 ? " runs " + request.app() + " " +
                                                   std::to_string(request.release())
                                             : " has app " + request.app()) +
                     "; see: fleetctl ps",
                 request.app()};
  }
  rollout::Rollout plan;
  plan.kind = kind;
  plan.app = request.app();
  plan.release = wishes.front().desired.release();
  plan.policy.set_strategy(v1::ALL);
  TRY(plan.previous_release, fleet_.wanted_release(plan.app));
  plan.selector = request.selector();
  plan.by = by.name;
  plan.within = by.groups;
  return fleet_.begin(std::move(plan), std::move(wishes), nullptr);
}

}  // namespace controller
