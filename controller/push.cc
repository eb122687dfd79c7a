#include "controller/push.h"

#include <algorithm>
#include <utility>

#include "ota/hash.h"
#include "proto/log.h"
#include "proto/manifest.h"

namespace controller {
namespace {

using proto::Code;

/// What the checks found.
struct CheckedPush {
  AcceptedRole role;
  ota::ListedRelease release;
  v1::AppManifest manifest;
  std::vector<Subject> devices;
};

Status check_key(std::string_view key) {
  const bool plain = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (plain && key.size() >= 8 && key.size() <= 128) return {};
  return Error{Code::bad_argument,
               "a push needs the header Idempotency-Key: 8 to 128 printable characters, new for "
               "each push and the same when it is repeated",
               "Idempotency-Key"};
}

// The one release that this role adds.
Result<ota::ListedRelease> added_release(const v1::PushRequest& request,
                                         const ota::Targets& offered,
                                         const std::optional<ota::Targets>& current) {
  TRY(const std::int64_t highest,
      ota::highest_release(current ? &*current : nullptr, request.app()));
  const auto wanted = static_cast<std::int64_t>(request.release());
  if (wanted != highest + 1) {
    return Error{Code::conflict,
                 "release " + std::to_string(wanted) + " of " + request.app() +
                     " cannot follow " + std::to_string(highest) +
                     "; somebody was faster: refresh and sign again",
                 request.app()};
  }
  TRY(const std::vector<ota::ListedRelease> listed, ota::releases_of(offered, request.app()));
  for (const ota::ListedRelease& each : listed) {
    if (each.number == wanted) return each;
  }
  return Error{Code::bad_metadata,
               "the signed role of " + request.app() + " does not list release " +
                   std::to_string(wanted),
               request.app()};
}

Status check_blob(ota::Blobs& blobs, const ota::BlobRef& blob) {
  if (blobs.has(blob)) return {};
  return Error{Code::not_found,
               "blob " + blob.digest.hex() + " (" + std::to_string(blob.size_bytes) +
                   " bytes) was not uploaded: PUT /v1/blobs/" + blob.digest.hex(),
               blob.digest.hex()};
}

Result<v1::AppManifest> read_manifest(ota::Blobs& blobs, const ota::ListedRelease& release,
                                      const std::string& app) {
  TRY_VOID(check_blob(blobs, release.manifest));
  TRY(const std::vector<std::byte> bytes,
      blobs.read_verified(release.manifest, proto::kMaxManifestBytes));
  v1::AppManifest manifest;
  if (!manifest.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Error{Code::bad_manifest, "the manifest of this release is no AppManifest", app};
  }
  TRY_VOID(proto::check_known(manifest));
  TRY_VOID(proto::check_manifest(manifest, proto::ManifestStage::complete));
  TRY_VOID(proto::check_supported(manifest));
  if (manifest.name() != app ||
      manifest.release() != static_cast<std::uint64_t>(release.number)) {
    return Error{Code::bad_manifest,
                 "the manifest says " + manifest.name() + " " + std::to_string(manifest.release()) +
                     ", but it is signed as " + app + " " + std::to_string(release.number),
                 "name"};
  }
  return manifest;
}

// Every blob that the manifest names is one that the role lists for this release.
Status check_named_blob(const v1::Blob& named, const ota::ListedRelease& release) {
  if (named.sha256().empty()) return {};
  for (const ota::BlobRef& each : release.blobs) {
    if (each.digest.hex() != named.sha256()) continue;
    if (each.size_bytes == named.size_bytes()) return {};
  }
  return Error{Code::not_signed,
               "the manifest names blob " + named.sha256() +
                   ", which the signed role does not list for this release with that size",
               named.sha256()};
}

Status check_blobs(ota::Blobs& blobs, const v1::AppManifest& manifest,
                   const ota::ListedRelease& release) {
  for (const v1::Image& image : manifest.images()) {
    TRY_VOID(check_named_blob(image.kernel(), release));
    TRY_VOID(check_named_blob(image.initrd(), release));
    TRY_VOID(check_named_blob(image.disk(), release));
  }
  for (const v1::File& file : manifest.files()) {
    TRY_VOID(check_named_blob(file.content(), release));
  }
  for (const ota::BlobRef& blob : release.blobs) TRY_VOID(check_blob(blobs, blob));
  return {};
}

Result<CheckedPush> check_push(PushContext& context, const v1::PushRequest& request,
                               std::int64_t now_ms, std::vector<std::string>& nearest) {
  if (request.app().empty()) return Error{Code::bad_argument, "app is missing", "app"};
  if (request.strategy() == v1::WAVES) {
    return Error{Code::not_supported, "not supported yet: strategy waves; use all", "strategy"};
  }
  CheckedPush out;
  // The selector first: with no device nothing else matters.
  TRY(out.devices, select_devices(context.store, request.selector(), nearest));
  TRY(out.role, context.metadata.check_app_role(request.app(), request.app_metadata(), now_ms));
  TRY(const std::optional<ota::Targets> current, context.metadata.app_role(request.app()));
  TRY(out.release, added_release(request, out.role.value, current));
  TRY(out.manifest, read_manifest(context.blobs, out.release, request.app()));
  TRY_VOID(check_blobs(context.blobs, out.manifest, out.release));
  return out;
}

ReleaseRow release_row(const CheckedPush& push, const v1::PushRequest& request,
                       const std::string& by, std::int64_t now_ms) {
  ReleaseRow row;
  row.app = request.app();
  row.number = push.release.number;
  row.created_ms = now_ms;
  row.by = by;
  row.key_id = push.role.key_id;
  row.manifest_sha256 = push.release.manifest.digest.hex();
  for (const ota::BlobRef& blob : push.release.blobs) {
    row.size_bytes += static_cast<std::int64_t>(blob.size_bytes);
  }
  row.manifest = push.manifest;
  return row;
}

Result<std::vector<Target>> targets_of(Store& store, const CheckedPush& push,
                                       const std::string& app) {
  std::vector<Target> targets;
  for (const Subject& subject : push.devices) {
    TRY(std::optional<v1::DesiredApp> before, store.desired_app(subject.id, app));
    Target target;
    target.id = subject.id;
    target.name = subject.name;
    if (before) target.desired = std::move(*before);  // its restart count goes on
    target.desired.set_app(app);
    target.desired.set_release(static_cast<std::uint64_t>(push.release.number));
    target.desired.set_run(v1::RUN);
    target.desired.set_fall_back(0);
    TRY(const std::optional<DeviceRow> device, store.device(subject.id));
    if (device) {
      for (const v1::AppStatus& status : device->facts.apps()) {
        if (status.app() == app) target.live_release = status.live_release();
      }
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace

Result<std::vector<Subject>> select_devices(Store& store, std::string_view selector,
                                            std::vector<std::string>& nearest) {
  TRY(const Selector parsed, parse_selector(selector));
  TRY(std::vector<Subject> fleet, store.subjects());
  std::vector<Subject> chosen;
  for (const Subject& subject : fleet) {
    if (parsed.matches(subject)) chosen.push_back(subject);
  }
  if (!chosen.empty()) return chosen;
  Suggestion suggestion = suggest(parsed, selector, fleet);
  nearest = std::move(suggestion.nearest);
  return Error{Code::not_found,
               std::string(selector) + " matches none of " + std::to_string(fleet.size()) +
                   (fleet.size() == 1 ? " device; " : " devices; ") + suggestion.message,
               "selector"};
}

Result<rollout::Rollout> accept_push(PushContext& context, const v1::PushRequest& request,
                                     std::string_view key, const std::string& by,
                                     std::vector<std::string>& nearest) {
  TRY_VOID(check_key(key));
  const std::string digest = ota::sha256(request.SerializeAsString()).hex();
  TRY(const std::optional<IdempotentPush> repeated, context.store.idempotent_push(key));
  if (repeated) {
    if (repeated->request_sha256 != digest) {
      return Error{Code::conflict, "this Idempotency-Key was used for another push",
                   "Idempotency-Key"};
    }
    TRY(std::optional<rollout::Rollout> known, context.store.rollout(repeated->rollout));
    if (known) return std::move(*known);
  }
  // One transaction from the first read to the last write: two pushes cannot both be next.
  Work work = context.fleet.work();
  TRY(const CheckedPush push, check_push(context, request, work.now_ms(), nearest));
  TRY(const std::uint64_t before, context.fleet.wanted_release(request.app()));
  TRY(std::vector<Target> targets, targets_of(context.store, push, request.app()));
  TRY_VOID(context.store.add_release(release_row(push, request, by, work.now_ms())));
  TRY_VOID(context.metadata.store_app_role(request.app(), push.role, work.now_ms()));

  rollout::Rollout plan;
  plan.kind = v1::KIND_PUSH;
  plan.app = request.app();
  plan.release = static_cast<std::uint64_t>(push.release.number);
  plan.previous_release = before;
  plan.selector = request.selector();
  plan.by = by;
  plan.require_all = request.require_all();
  const std::uint64_t deadline_ms = push.manifest.rollout().device_deadline_ms();
  if (deadline_ms > 0) plan.device_deadline_ms = static_cast<std::int64_t>(deadline_ms);
  TRY(rollout::Rollout begun, context.fleet.start(work, std::move(plan), std::move(targets)));
  TRY_VOID(context.store.add_idempotent_push(key, {digest, begun.number}, work.now_ms()));
  // Beyond this point the push belongs to the controller (P1).
  TRY_VOID(work.commit());
  return begun;
}

}  // namespace controller
