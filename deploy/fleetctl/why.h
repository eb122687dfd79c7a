// Why a device does not run what is wanted of it, in the words of the controller.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct WhyOptions {
  std::string device;
  std::string app;  // "": all
};

CommandResult show_why(Program& program, const WhyOptions& options);
std::vector<std::string> why_lines(const fleet::v1::Why& why);

}  // namespace fleetctl
