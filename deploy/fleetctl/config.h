// Values of an app's variables per device: set, unset, list. A secret is sealed here, to each
// device's own key, and leaves this machine in no other form.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct ConfigSetOptions {
  std::string app;
  std::string selector;
  std::vector<std::string> words;         // KEY=VALUE; KEY alone is a secret, which is asked for
  std::vector<std::string> secret_files;  // KEY=FILE, - is stdin
  std::vector<std::string> accept_keys;   // names of devices
  bool unset = false;                     // the words are names to take the value from
  std::uint64_t wait_ms = 30 * 60 * 1000;
  bool detach = false;
  bool require_all = false;
};
/// errors bad_argument (a word that is no assignment, a secret with its value, what the controller
///        refuses) | unauthenticated (a device shows another key than before) | not_found
CommandResult set_config(Program& program, const ConfigSetOptions& options);

struct ConfigListOptions {
  std::string app;
  std::string selector = "all";
};
CommandResult list_config(Program& program, const ConfigListOptions& options);

/// "site=lyon (label), tsig set" of one app, for `device show`.
std::string values_text(const fleet::v1::DeviceConfig& config);

}  // namespace fleetctl
