#include "controller/access.h"
#include "controller/api_routes.h"
#include "controller/overview.h"
#include "fleet/v1/api.pb.h"
#include "proto/json.h"
#include "proto/log.h"

namespace controller {
namespace {

Result<v1::ReleaseList> releases_of(Call& call, const std::string& app) {
  Parts& parts = call.parts;
  v1::ReleaseList list;
  TRY(const auto running, parts.overview->running(call.caller.groups));
  TRY(const auto listed, listed_releases(parts.store, app));
  TRY(const auto releases, parts.store.releases(app));
  for (const ReleaseRow& row : releases) {
    v1::Release* release = list.add_releases();
    const auto number = static_cast<std::uint64_t>(row.number);
    release->set_app(app);
    release->set_number(number);
    release->set_created_ms(static_cast<std::uint64_t>(row.created_ms));
    release->set_by(row.by);
    release->set_manifest_sha256(row.manifest_sha256);
    release->set_key_id(row.key_id);
    *release->mutable_manifest() = row.manifest;
    release->set_size_bytes(static_cast<std::uint64_t>(row.size_bytes));
    const auto counts = running.find(app);
    if (counts != running.end()) {
      const auto count = counts->second.find(number);
      if (count != counts->second.end()) release->set_devices(count->second);
    }
    for (const ota::ListedRelease& entry : listed) {
      if (entry.number != row.number) continue;
      release->set_listed(true);
      release->set_yanked(entry.yanked);
    }
  }
  return list;
}

}  // namespace

Result<v1::AppList> apps_of(Call& call) {
  Parts& parts = call.parts;
  v1::AppList list;
  TRY(const auto running, parts.overview->running(call.caller.groups));
  TRY(const auto names, parts.store.apps());
  for (const std::string& name : names) {
    TRY(const auto newest, parts.store.newest_release(name));
    v1::App* app = list.add_apps();
    app->set_name(name);
    if (newest) {
      app->set_newest_release(static_cast<std::uint64_t>(newest->number));
      app->set_description(newest->manifest.description());
    }
    TRY(const std::uint64_t wanted, parts.fleet.wanted_release(name));
    app->set_wanted_release(wanted);
    const auto found = running.find(name);
    if (found == running.end()) continue;
    for (const auto& [release, count] : found->second) {
      v1::ReleaseCount* entry = app->add_running();
      entry->set_release(release);
      entry->set_devices(count);
    }
  }
  return list;
}

awaitable<Response> list_apps(Call call) {
  const auto list = apps_of(call);
  if (!list) co_return error_response(list.error());
  co_return answer(*list);
}

awaitable<Response> list_releases(Call call) {
  const auto list = releases_of(call, call.words[0]);
  if (!list) co_return error_response(list.error());
  co_return answer(*list);
}

// By this question fleetctl decides what to upload: bytes that were damaged here are not there.
awaitable<Response> get_blob(Call call) {
  ota::Blobs& blobs = call.parts.blobs;
  const std::string name = call.words[0];
  auto work = [&blobs, &name]() -> Status {
    TRY(const ota::Sha256 digest, ota::Sha256::from_hex(name));
    TRY(const ota::Fd file, blobs.open(digest));
    TRY(const std::uint64_t size_bytes, ota::size_of(file));
    const auto whole = blobs.open_verified({digest, size_bytes});
    if (whole) return {};
    if (whole.error().code != proto::Code::bad_digest) return whole.error();
    proto::log_error("blob.damaged", {{"why", whole.error().what}});
    return Error{proto::Code::not_found, whole.error().what, name};
  };
  const Status sound = co_await proto::run_blocking(call.parts.hashing, std::move(work));
  if (!sound) co_return error_response(sound.error());
  co_return blob_answer(blobs, name);
}

awaitable<Response> put_blob(Call call) {
  co_return error_response(
      Error{proto::Code::internal, "an upload came without its bytes", call.words[0]});
}

awaitable<Response> get_metadata(Call call) {
  co_return metadata_answer(call.parts.metadata, call.words[0]);
}

awaitable<Response> get_online_keys(Call call) {
  co_return answer(call.parts.metadata.online_keys().to_api());
}

awaitable<Response> make_online_key(Call call) {
  OnlineKeys& keys = call.parts.metadata.online_keys();
  // The key is a file: told first, so that none is made in silence. To ask again changes nothing.
  const auto work = [&]() -> Status {
    Store::Transaction transaction(call.parts.store);
    TRY_VOID(call.parts.fleet.audit().record(
        {call.caller.name, "online_key.made", call.words[0]}));
    TRY_VOID(keys.make_next(call.words[0]));
    return transaction.commit();
  };
  const Status made = work();
  if (!made) co_return error_response(made.error());
  co_return answer(keys.to_api(), 201);
}

awaitable<Response> upload_metadata(Call call) {
  const auto upload = proto::from_json<v1::MetadataUpload>(call.request.body);
  if (!upload) co_return error_response(upload.error());
  // Who may push may yank; keys are another matter.
  const bool of_app = upload->role().starts_with("apps.");
  if (!of_app && (call.caller.role < Role::admin || !call.caller.groups.empty())) {
    co_return error_response(Error{proto::Code::forbidden,
                                   upload->role() + " needs the role admin of the whole fleet",
                                   upload->role()});
  }
  const Status may = check_app_role(call.parts, call.caller, upload->role());
  if (!may) co_return error_response(may.error());
  Fleet& fleet = call.parts.fleet;
  const std::string by = call.caller.name;
  const auto tell = [&fleet, &by](const News& news) { return fleet.announce(news, by); };
  const Status taken = call.parts.metadata.upload(*upload, tell);
  if (!taken) co_return error_response(taken.error());
  fleet.committed();
  co_return json_response("{}", 201);
}

}  // namespace controller
