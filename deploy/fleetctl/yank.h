// Yank: a release that no device may take any more, said by the app's key.
#pragma once

#include <cstdint>
#include <string>

#include "deploy/fleetctl/program.h"

namespace fleetctl {

struct YankOptions {
  std::string app;
  std::uint64_t release = 0;
  bool stop = false;  // also stop it where it runs
  std::string passphrase_file;
  std::uint64_t wait_ms = 30 * 60 * 1000;
  bool detach = false;
  bool require_all = false;
};

/// Signs the app's next role with the release marked yanked; devices learn of it by themselves. One
/// that is yanked already is no error. With `stop`, an order to the devices that run it.
/// errors not_found (not listed: then no device may take it anyway) | unauthenticated | conflict
CommandResult yank(Program& program, const YankOptions& options);

}  // namespace fleetctl
