// completion: the script that a shell reads. Commands and flags are written into it, what is live
// (devices, apps, rollouts, releases) it asks of `fleetctl complete` at each Tab.
#pragma once

#include <string>

namespace fleetctl {

/// The script of `completion bash`, made from the commands and flags themselves.
std::string bash_completion();

}  // namespace fleetctl
