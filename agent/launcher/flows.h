// Conntrack entries of published ports that still lead to an old guest.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/launcher/messages.h"
#include "proto/result.h"

namespace launcher {

struct StaleFlow {
  Ipv4 client;
  std::uint16_t client_port = 0;
  Ipv4 host;                  // the address that the client asked
  WireFlow wanted{};          // by which of the flows asked for it was found
};

/// The flows of these published ports that were translated to the named guests, or (address 0) to
/// none. Errors: launcher.
proto::Result<std::vector<StaleFlow>> find_flows(const std::vector<WireFlow>& flows);

/// Deletes them; returns how many went. One that ends by itself meanwhile is no error.
/// Errors: launcher.
proto::Result<std::uint32_t> delete_flows(const std::vector<WireFlow>& flows);

}  // namespace launcher
