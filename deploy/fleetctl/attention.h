// What needs a person, for `status`: sorted by harm, each line with the command that goes on from
// there. The controller says what it is, the words are here. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/v1/api.pb.h"

namespace fleetctl {

/// One line of ATTENTION. Texts are visible().
struct Attention {
  std::string what;  // "edge-117", "3 devices", "keys"
  std::string text;
  std::string hint;  // a command, "" if there is none
};

/// The same trouble of many devices is one line: the controller names them while they are few.
std::vector<Attention> attention_of(const fleet::v1::ServerStatus& server, std::uint64_t now_ms);

}  // namespace fleetctl
