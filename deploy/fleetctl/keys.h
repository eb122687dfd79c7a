// The signing keys of a fleet: made, handed on, shown, their signatures renewed.
#pragma once

#include <string>

#include "deploy/fleetctl/program.h"

namespace fleetctl {

struct KeysOptions {
  std::string app;              // delegate
  std::string passphrase_file;
  std::string second_copy;      // init: required
};

/// Root and targets keys, their first metadata, all of it at the controller. An init that was cut
/// short goes on with the keys that it made.
/// errors already_exists (the controller has a root that is not of these keys)
CommandResult keys_init(Program& program, const KeysOptions& options);
/// A key for an app, and the line of the targets role that hands the app over to it.
CommandResult keys_delegate(Program& program, const KeysOptions& options);
CommandResult keys_list(Program& program);
/// Signs again, with a new date, what has used up half of its time. App roles are renewed by
/// pushes.
CommandResult keys_refresh(Program& program, const KeysOptions& options);

}  // namespace fleetctl
