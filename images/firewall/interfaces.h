// The interfaces of the config by what the firewall does with them.
#pragma once

#include <array>
#include <string_view>

#include "images/firewall/interface_uses.h"
#include "images/runtime/config.h"

namespace images::firewall {

struct Interfaces : InterfaceUses {
  std::array<std::string_view, kMaxRouterPorts> names{};  // of all, by number
  std::array<std::size_t, kMaxRouterPorts> ports{};       // the forwarded ones
  std::size_t count = 0;                                  // of them
  RouterPorts routed{};
};

/// False, after it was said on the console why: neither two interfaces to bridge nor two to route.
bool find_interfaces(const runtime::Config& config, Interfaces& out);

/// What the runtime knows of an interface that asks for its address.
void update_address(std::size_t number, RouterPort& port);

}  // namespace images::firewall
