// An app's key and its role, apart from pushes.
#pragma once

#include <string>

#include "deploy/fleetctl/keys.h"
#include "deploy/fleetctl/trust.h"

namespace fleetctl {

/// A new key for an app: targets hand the app over to it, and its role is signed again with it, in
/// one step at the controller. The old key is not needed and signs nothing any more.
/// errors bad_argument (no --second-copy) | not_signed (not delegated yet)
CommandResult rotate_app_key(Program& program, const std::string& app, const KeysOptions& options);

/// The app's role with a new date, if its key is on this machine; else a note.
proto::Status renew_app_role(Program& program, const Connection& connection, Trust& trust,
                             const std::string& app, const ota::Secret& passphrase);

}  // namespace fleetctl
