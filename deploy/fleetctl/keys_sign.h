// Signing with the keys of this machine, and sending or handing on what was signed.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/keys.h"
#include "deploy/fleetctl/keystore.h"
#include "deploy/fleetctl/root_draft.h"
#include "deploy/fleetctl/trust.h"
#include "ota/repository.h"

namespace fleetctl {

/// A lost key cannot be made again: a command that makes keys wants --second-copy.
/// errors bad_argument
proto::Status check_second_copy(const std::string& command, const KeysOptions& options);

/// Sends signed root or targets. errors as Metadata::upload at the controller
proto::Status send_metadata(Api& api, const std::string& role, const std::string& json);

/// A key of the controller, as its API says it. errors bad_argument | bad_metadata
proto::Result<ota::PublicKey> read_online_key(const std::string& json, const std::string& role);

/// Which keys may sign a role today.
std::vector<std::string> keyids_of(const Trust& trust, const std::string& role);

/// The keys of this machine with those ids, whatever role their file names.
/// errors unauthenticated (wrong passphrase) | as KeyStore::list
proto::Result<std::vector<ota::SigningKey>> open_keys(const KeyStore& keys,
                                                      const std::vector<std::string>& keyids,
                                                      const ota::Secret& passphrase);

/// A new root, signed by the keys of this machine that may: sent if that is enough, else left as a
/// file beside the root that it follows, for others to sign.
/// in     out: "" = root-N.json in this folder
CommandResult deliver_root(Program& program, const Connection& connection, Trust& trust,
                           const ota::Root& next, const ota::Secret& passphrase,
                           const std::string& out);

}  // namespace fleetctl
