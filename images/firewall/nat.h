// Which address and port a new flow gets. Pure; the flow table is the only memory of what is taken.
#pragma once

#include <cstdint>

#include "images/firewall/flow_table.h"
#include "images/firewall/rules.h"

namespace images::firewall {

/// The ports that snat and masquerade choose from if the rule names none.
inline constexpr std::uint16_t kFirstNatPort = 1024;
inline constexpr std::uint16_t kLastNatPort = 65535;

/// Give the packet that opens a flow (`received`, and `leaves` without this) another source: that
/// address and a port or identifier that nobody outside can foresee (RFC 6056), whose answers are
/// this flow's alone. At most 256 ports are tried. False: all of them were taken.
bool choose_source(const FlowTable& flows, const NatTarget& target, const Address& address,
                   const HashKey& key, const Tuple& received, std::uint64_t now_ms,
                   Tuple& leaves);

/// What dnat makes of it.
void change_target(const NatTarget& target, Tuple& leaves);

}  // namespace images::firewall
