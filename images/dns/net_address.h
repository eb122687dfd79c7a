// Addresses between lwIP and the pure parts.
#pragma once

#include <lwip/ip_addr.h>

#include "images/dns/address.h"

namespace images::dns {

Address address_of(const ip_addr_t& address);

/// False: of a family that this image does not speak.
[[nodiscard]] bool to_lwip(const Address& address, ip_addr_t& out);

}  // namespace images::dns
