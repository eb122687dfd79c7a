// Addresses between lwIP and the pure parts.
#pragma once

#include <lwip/ip_addr.h>

#include "images/dns/address.h"

namespace images::dns {

Address address_of(const ip_addr_t& address);

ip_addr_t to_lwip(const Address& address);

}  // namespace images::dns
