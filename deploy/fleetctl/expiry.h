// When signed roles end, and what to do about it in time. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ota/metadata.h"

namespace fleetctl {

/// How long a role is still good: "21d", "expired". Both in Unix seconds.
std::string time_left(std::int64_t expires, std::int64_t now);

/// Root and targets of which half of the time is over, a line each with the command that renews it.
std::vector<std::string> expiry_notes(const ota::Root& root, const ota::Targets& targets,
                                      std::int64_t now);

}  // namespace fleetctl
