// What needs a person, for `status`: sorted by harm, each line with the command that goes on from
// there. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deploy/fleetctl/lists.h"

namespace fleetctl {

/// One line of ATTENTION. Texts are visible().
struct Attention {
  std::string what;  // "edge-117", "3 devices", "keys"
  std::string text;
  std::string hint;  // a command, "" if there is none
};

/// The same trouble of more than so many devices is one line.
inline constexpr std::size_t kNamedDevices = 5;

std::vector<Attention> attention_of(const StatusInput& input, std::uint64_t now_ms);

/// Devices that are named in some of it, or counted: "1 needs you".
std::size_t devices_in_need(const StatusInput& input, std::uint64_t now_ms);

}  // namespace fleetctl
