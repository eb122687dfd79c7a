// Where a flow's direction lies in the table: SipHash with a secret key, so that nobody outside can
// make many flows fall into one place.
#pragma once

#include <array>
#include <cstdint>

#include "images/firewall/packet.h"

namespace images::firewall {

using HashKey = std::array<std::uint64_t, 2>;

/// SipHash-1-3 of the tuple's fields.
std::uint64_t hash_of(const Tuple& tuple, const HashKey& key);

}  // namespace images::firewall
