// device accept: a person's decision on devices that are ahead of the controller.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct AcceptOptions {
  std::string name;
  std::string selector;  // --to
};

/// What they run is what is wanted of them from now on.
/// out    ok: none of them is ahead any more; error: some have to wait, and are named
CommandResult accept_devices(Program& program, const AcceptOptions& options);

std::vector<std::string> accept_lines(const fleet::v1::AcceptResult& result);

}  // namespace fleetctl
