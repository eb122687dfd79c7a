// A guest's network interface on the host: a tap, or a socket that keeps frames apart.
#pragma once

#include <array>
#include <cstdint>

#include "agent/tenders/failure.h"
#include "agent/tenders/options.h"

namespace tenders {

struct NetDevice {
  int descriptor = -1;                 // non-blocking; one frame per read and write
  std::array<std::uint8_t, 6> mac{};   // the guest's
  std::uint16_t mtu = 1500;
};

/// Open the tap by its name, or take over the descriptor.
/// The MAC, if not given, is locally administered and the same as long as the tap is there.
/// errors not_found (no such tap, or down) | bad_argument (neither tap nor such a socket) | io
[[nodiscard]] bool open_net(const DeviceOption& option, NetDevice& device, Failure& failure);

}  // namespace tenders
