#include "deploy/fleetctl/keys_app.h"

#include <utility>

#include "deploy/fleetctl/keys_sign.h"

namespace fleetctl {
namespace {

using proto::Code;

std::string sign_by(const ota::Targets& role, const ota::SigningKey& key) {
  const ota::SigningKey* const signers[] = {&key};
  return ota::sign(role, signers);
}

}  // namespace

CommandResult rotate_app_key(Program& program, const std::string& app,
                             const KeysOptions& options) {
  TRY_VOID(check_second_copy("rotate apps/" + app, options));
  TRY(const Connection connection, connect(program));
  const KeyStore keys(connection.context.keys_folder());
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  TRY_VOID(trust->refresh());
  TRY(const auto* role, trust->app_role(app));
  TRY(const StoredKey stored, keys.find("targets", keyids_of(*trust, "targets")));
  ota::Targets next = ota::next_targets(trust->trusted().targets()->value, now_s());
  TRY(const ota::Secret passphrase,
      passphrase_for(passphrase_source(options.passphrase_file),
                     "Signing targets " + std::to_string(next.header.version) + " with key " +
                         describe(stored) + ". Passphrase:"));
  TRY(const ota::SigningKey signer, open_key(stored, passphrase));
  const ota::SigningKey app_key = ota::SigningKey::generate();
  TRY(const StoredKey made,
      keys.save(app_key, ota::app_role_name(app), passphrase, options.second_copy));
  program.terminal.note("  made       " + describe(made));
  TRY_VOID(ota::delegate_app(next, app, app_key.public_key()));

  fleet::v1::MetadataUpload upload;
  upload.set_role(ota::Targets::kType);
  upload.set_json(sign_by(next, signer));
  if (role != nullptr) {
    TRY(const ota::Targets again, ota::edit_app_role(role->value, app, {}, now_s()));
    fleet::v1::MetadataUpload& along = *upload.add_together();
    along.set_role(ota::app_role_name(app));
    along.set_json(sign_by(again, app_key));
  }
  TRY_VOID(connection.api->upload_metadata(upload));
  TRY_VOID(trust->remember(app));
  if (program.json) return keys_list(program);
  program.terminal.line("apps/" + app + " is signed by " + describe(made) +
                        " from now on (targets " + std::to_string(next.header.version) +
                        "); the key before it signs nothing more.");
  return ExitCode::ok;
}

proto::Status renew_app_role(Program& program, const Connection& connection, Trust& trust,
                             const std::string& app, const ota::Secret& passphrase) {
  TRY(const auto* role, trust.app_role(app));
  if (role == nullptr) return {};
  const std::string name = ota::app_role_name(app);
  TRY(const auto keys, open_keys(KeyStore(connection.context.keys_folder()),
                                 keyids_of(trust, name), passphrase));
  if (keys.empty()) {
    program.terminal.note("apps/" + app + " was not renewed: its key is not here");
    return {};
  }
  TRY(const ota::Targets next, ota::edit_app_role(role->value, app, {}, now_s()));
  TRY_VOID(send_metadata(*connection.api, name, sign_by(next, keys.front())));
  return trust.remember(app);
}

}  // namespace fleetctl
