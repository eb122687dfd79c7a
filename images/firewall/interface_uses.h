// Which interfaces the firewall forwards between, and how: from what the manifest says. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/firewall/delivery.h"
#include "images/firewall/rule_values.h"

namespace images::firewall {

/// Never forwarded to, in either mode.
inline constexpr std::string_view kManagement = "mgmt";

/// What it says of interfaces that cannot be; the counts of bare and routable ones follow.
inline constexpr std::string_view kImpossible =
    "it bridges two interfaces with `address: none`, or routes between two or more with addresses, "
    "beside mgmt; there are ";

enum class InterfaceUse : std::uint8_t { none, bridged, routed, own };

/// One interface as it is configured; at most kMaxRouterPorts of them.
struct InterfaceShape {
  bool is_present = false;
  bool has_address = false;  // a fixed one, or asked for by DHCP
  std::string_view name;
};

struct InterfaceUses {
  std::array<InterfaceUse, kMaxRouterPorts> uses{};
  std::array<std::string_view, kMaxRouterPorts> forwarded{};  // their names by number, or empty
  std::array<std::string_view, kMaxRouterPorts> addressed{};  // of those with an address
  std::size_t bare = 0;       // without an address
  std::size_t routable = 0;   // with one, but for mgmt
  bool is_routed = false;

  /// Two to bridge, or two or more to route between.
  bool is_possible() const { return is_routed || bare == 2; }
  RulePorts rule_ports() const { return {forwarded, addressed, is_routed}; }
};

InterfaceUses find_uses(std::span<const InterfaceShape> interfaces);

}  // namespace images::firewall
