// The interfaces of the config by what the firewall does with them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "images/firewall/delivery.h"
#include "images/firewall/rule_values.h"
#include "images/runtime/config.h"

namespace images::firewall {

/// Never forwarded to, in either mode.
inline constexpr std::string_view kManagement = "mgmt";

enum class InterfaceUse : std::uint8_t { none, bridged, routed, own };

struct Interfaces {
  std::array<InterfaceUse, kMaxRouterPorts> uses{};
  std::array<std::string_view, kMaxRouterPorts> names{};      // of all, by number
  std::array<std::string_view, kMaxRouterPorts> forwarded{};  // the same, or empty
  std::array<std::string_view, kMaxRouterPorts> addressed{};  // those with an address
  std::array<std::size_t, kMaxRouterPorts> ports{};           // the forwarded ones
  std::size_t count = 0;                                      // of them
  bool is_routed = false;
  RouterPorts routed{};

  RulePorts rule_ports() const { return {forwarded, addressed, is_routed}; }
};

/// False, after it was said on the console why: neither two interfaces to bridge nor two to route.
bool find_interfaces(const runtime::Config& config, Interfaces& out);

/// What the runtime knows of an interface that asks for its address.
void update_address(std::size_t number, RouterPort& port);

}  // namespace images::firewall
