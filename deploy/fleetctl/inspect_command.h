// Looking at files of this machine, without a controller: what an image is, whether a manifest is
// right, and how manifests are written.
#pragma once

#include <string>

#include "deploy/fleetctl/program.h"

namespace fleetctl {

CommandResult inspect_file(Program& program, const std::string& path);
CommandResult check_manifest_file(Program& program, const std::string& path);

/// The rules of the notation, for `fleetctl manifest --help`.
extern const char* const kManifestNotation;

}  // namespace fleetctl
