// The zones on the network: UDP and TCP on one port, over lwIP.
#pragma once

#include <cstdint>

#include "images/dns/service.h"

namespace images::dns {

/// Listen by UDP. The service outlives everything; its pointers are never null. False: the port
/// could not be opened.
bool serve_udp(const Service& service, std::uint16_t port);

/// Listen by TCP.
bool serve_tcp(const Service& service, std::uint16_t port);

}  // namespace images::dns
