// The zones on the network: UDP and TCP on one port, over lwIP.
#pragma once

#include <cstdint>
#include <span>

#include "images/dns/rate_limit.h"
#include "images/dns/zone.h"

namespace images::dns {

struct ServerOptions {
  std::span<const Zone> zones;
  std::uint16_t port = 53;
  RateLimit* rate_limit = nullptr;  // never null when serving
};

/// Listen. Everything in the options outlives the server. False: the port could not be opened.
bool serve(const ServerOptions& options);

}  // namespace images::dns
