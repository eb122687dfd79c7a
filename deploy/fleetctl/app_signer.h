// The key that signs an app's role, as it is on this machine.
#pragma once

#include <string>

#include "deploy/fleetctl/keystore.h"
#include "deploy/fleetctl/program.h"
#include "deploy/fleetctl/trust.h"

namespace fleetctl {

struct AppSigner {
  StoredKey stored;
  ota::SigningKey key;

  std::string sign(const ota::Targets& role) const;
};

/// Asks for the passphrase, saying what is signed.
/// in     trust: app_role(app) was asked before, so that it is delegated; what: "dns 3"
/// errors not_found (the key is not here) | unauthenticated (passphrase)
proto::Result<AppSigner> open_app_signer(Program& program, const Connection& connection,
                                         const Trust& trust, const std::string& app,
                                         const std::string& what,
                                         const std::string& passphrase_file);

}  // namespace fleetctl
