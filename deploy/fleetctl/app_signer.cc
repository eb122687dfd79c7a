#include "deploy/fleetctl/app_signer.h"

#include <utility>

namespace fleetctl {

std::string AppSigner::sign(const ota::Targets& role) const {
  const ota::SigningKey* const signers[] = {&key};
  return ota::sign(role, signers);
}

proto::Result<AppSigner> open_app_signer(Program& program, const Connection& connection,
                                         const Trust& trust, const std::string& app,
                                         const std::string& what,
                                         const std::string& passphrase_file) {
  const KeyStore keys(connection.context.keys_folder());
  const ota::DelegatedRole* line = trust.delegation(app);
  FLEET_ASSERT(line != nullptr);
  TRY(StoredKey stored, keys.find(line->name, line->keys.keyids));
  const PassphraseSource source = passphrase_source(passphrase_file);
  const std::string said = "Signing " + what + " with key " + describe(stored);
  if (!source.file.empty() && !program.json) program.terminal.line(said);
  TRY(const ota::Secret passphrase, passphrase_for(source, said + ". Passphrase:"));
  TRY(ota::SigningKey key, open_key(stored, passphrase));
  return AppSigner{std::move(stored), std::move(key)};
}

}  // namespace fleetctl
