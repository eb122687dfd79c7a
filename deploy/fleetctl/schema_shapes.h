// The documents that fleetctl makes itself: their fields and types, for schema.
#pragma once

#include <map>
#include <string>

#include "ota/json.h"

namespace fleetctl {

/// By the name that the table of commands (schema.cc) calls them, each a JSON Schema.
const std::map<std::string, ota::Json>& own_shapes();

}  // namespace fleetctl
