// The signing keys of a fleet: made, handed on, shown, their signatures renewed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"

namespace fleetctl {

struct KeysOptions {
  std::string app;              // delegate
  std::vector<std::string> roles;  // rotate: "root", "timestamp", or one "apps/dns"
  std::string key_id;           // revoke: its first digits
  std::string passphrase_file;
  std::string second_copy;      // init, rotate: required
  std::string out;              // rotate, revoke, refresh: where a root goes that others must sign
  std::string file;             // sign
  std::string on_file;          // sign: the root before it; "" = what this machine saw last
  std::vector<std::string> key_files;  // sign: instead of the context's keys
  bool publish = false;         // sign
  std::int64_t root_keys = 1;   // init: how many are made
  std::int64_t root_threshold = 1;  // init: how many of them must sign a root
};

/// Root and targets keys, their first metadata, all of it at the controller. An init that was cut
/// short goes on with the keys that it made.
/// errors already_exists (the controller has a root that is not of these keys)
CommandResult keys_init(Program& program, const KeysOptions& options);
/// A key for an app, and the line of the targets role that hands the app over to it.
CommandResult keys_delegate(Program& program, const KeysOptions& options);
CommandResult keys_list(Program& program);
/// Signs again, with a new date, what has used up half of its time: root, targets, and the roles of
/// apps whose keys are here.
CommandResult keys_refresh(Program& program, const KeysOptions& options);
/// New keys in the place of others: those of root and targets that are on this machine; snapshot's
/// and timestamp's, which the controller makes; or an app's, of which nothing is needed here.
/// errors bad_argument (another role; an app beside others) | not_supported
CommandResult keys_rotate(Program& program, const KeysOptions& options);
/// A root without one key; the keys that stay must be enough for the role.
/// errors not_found (no such key) | bad_argument (it must be rotated: the command is named)
CommandResult keys_revoke(Program& program, const KeysOptions& options);
/// Gives a controller that was restored from an older backup the newest metadata that this machine
/// has seen, so that devices and operators go on from there. Signs nothing.
/// errors rollback (of some app more was seen, and this machine does not hold it)
CommandResult keys_restore(Program& program);
/// Adds the signatures of keys to a root in a file, after showing what it changes. Needs no network
/// unless it is to be published too.
CommandResult keys_sign(Program& program, const KeysOptions& options);

}  // namespace fleetctl
