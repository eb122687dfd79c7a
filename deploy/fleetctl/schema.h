// schema: what --json prints, as JSON Schema. Answers of the controller are described from their
// messages (proto/fleet/v1), what fleetctl makes itself by the shapes written here. Pure.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "ota/json.h"

namespace fleetctl {

/// The JSON Schema (2020-12) of one document that `fleetctl COMMAND --json` prints; what follows
/// prints several, one in each line. errors not_found (no such command, or it prints no JSON)
proto::Result<ota::Json> schema_of(const std::string& command);

/// Commands that print JSON, and those that have none to print.
std::vector<std::string> commands_with_json();
std::vector<std::string> commands_without_json();

/// in     words: of one command; none: all, as {COMMAND: schema}
CommandResult show_schema(Program& program, const std::vector<std::string>& words);

}  // namespace fleetctl
