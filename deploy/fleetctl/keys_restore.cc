// After a controller was restored from an older backup: devices and operators have seen newer
// metadata than it holds, and take nothing older. What was seen was signed; it goes back.
#include <utility>

#include "deploy/fleetctl/keys_sign.h"
#include "deploy/fleetctl/text.h"
#include "proto/limits.h"

namespace fleetctl {
namespace {

using fleet::v1::MetadataUpload;
using proto::Code;

// The apps whose roles are in this upload, and those of which more was seen than is here.
struct Apps {
  std::vector<std::string> here;
  std::vector<std::string> missing;
};

void add(std::string role, std::string text, MetadataUpload& upload) {
  if (text.empty()) return;
  MetadataUpload& one = *upload.add_together();
  one.set_role(std::move(role));
  one.set_json(std::move(text));
}

proto::Result<Apps> add_apps(Trust& trust, const ota::Snapshot& snapshot,
                             MetadataUpload& upload) {
  Apps apps;
  for (const auto& [file, meta] : snapshot.meta) {
    const std::string role = file.substr(0, file.rfind(".json"));
    if (!role.starts_with("apps.")) continue;
    TRY(std::string text, trust.seen(role));
    bool whole = false;
    if (!text.empty()) {
      TRY(const auto held, ota::parse_targets(text));
      whole = held.value.header.version >= meta.version;
    }
    (whole ? apps.here : apps.missing).push_back(role.substr(5));
    add(role, std::move(text), upload);
  }
  return apps;
}

// A root that the controller has not; only the one after its own can follow.
proto::Status give_root(Program& program, Api& api, Trust& trust) {
  TRY(const std::string text, trust.seen(ota::Root::kType));
  TRY(const auto root, ota::parse_root(text));
  const std::int64_t version = root.value.header.version;
  const auto there = api.metadata(ota::metadata_file_name(ota::Root::kType, version),
                                  proto::kMaxRootBytes);
  if (there) return {};
  if (there.error().code != Code::not_found) return there.error();
  TRY_VOID(send_metadata(api, ota::Root::kType, text));
  program.terminal.note("  gave       root " + std::to_string(version));
  return {};
}

// Releases that the app's role lists and whose bytes went with the backup's age.
proto::Result<std::vector<std::string>> not_there(Api& api, Trust& trust, const std::string& app) {
  TRY(const std::string text, trust.seen(ota::app_role_name(app)));
  TRY(const auto role, ota::parse_targets(text));
  TRY(const auto listed, ota::releases_of(role.value, app));
  std::vector<std::string> numbers;
  for (const ota::ListedRelease& release : listed) {
    TRY(const bool there, api.has_blob(release.manifest.digest.hex()));
    if (!there) numbers.push_back(std::to_string(release.number));
  }
  return numbers;
}

}  // namespace

CommandResult keys_restore(Program& program) {
  TRY(const Connection connection, connect(program));
  Api& api = *connection.api;
  TRY(const auto trust, Trust::open(connection.context, api));
  TRY(const std::string targets, trust->seen(ota::Targets::kType));
  TRY(std::string seen_snapshot, trust->seen(ota::Snapshot::kType));
  TRY(std::string seen_timestamp, trust->seen(ota::Timestamp::kType));
  if (targets.empty() || seen_snapshot.empty()) {
    return proto::Error{Code::not_found,
                        "this machine has seen no metadata of " + connection.host() +
                            " yet; run this where apps were pushed", {}};
  }
  TRY(const auto snapshot, ota::parse_snapshot(seen_snapshot));
  TRY_VOID(give_root(program, api, *trust));
  MetadataUpload upload;
  upload.set_role(ota::Targets::kType);
  upload.set_json(targets);
  upload.set_restored(true);
  TRY(const Apps apps, add_apps(*trust, snapshot.value, upload));
  add(ota::Snapshot::kType, std::move(seen_snapshot), upload);
  add(ota::Timestamp::kType, std::move(seen_timestamp), upload);
  TRY_VOID(api.upload_metadata(upload));
  const proto::Status refreshed = trust->refresh();
  if (!refreshed && refreshed.error().code == Code::rollback && !apps.missing.empty()) {
    return proto::Error{Code::rollback,
                        connection.host() + " has what this machine holds now; of " +
                            join(apps.missing, ", ") + " more was seen than is here\nrun this "
                            "where " + (apps.missing.size() == 1 ? "it was" : "they were") +
                            " pushed:  fleetctl keys restore", {}};
  }
  TRY_VOID(refreshed);
  if (program.json) return keys_list(program);
  program.terminal.line(connection.host() + " has all that this machine has seen: targets " +
                        std::to_string(trust->trusted().targets()->value.header.version) +
                        (apps.here.empty() ? "" : ", " + join(apps.here, ", ")) + ".");
  for (const std::string& app : apps.here) {
    TRY(const auto gone, not_there(api, *trust, app));
    if (gone.empty()) continue;
    program.terminal.note(app + " " + join(gone, ", ") + (gone.size() == 1 ? " is" : " are") +
                          " signed and not at the controller any more; devices that run " +
                          (gone.size() == 1 ? "it" : "them") +
                          " go on. Others get the next push:  fleetctl push " + app);
  }
  return ExitCode::ok;
}

}  // namespace fleetctl
