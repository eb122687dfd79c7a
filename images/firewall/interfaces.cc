#include "images/firewall/interfaces.h"

#include <algorithm>
#include <array>
#include <span>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"

namespace images::firewall {
namespace {

static_assert(kMaxRouterPorts == runtime::platform::kMaxPorts);

template <std::size_t N>
bool copy_address(const std::array<std::uint8_t, N>& from, Address& to) {
  to = {};
  std::copy(from.begin(), from.end(), to.begin());
  return std::any_of(from.begin(), from.end(), [](auto byte) { return byte != 0; });
}

RouterPort router_port(const runtime::InterfaceConfig& config) {
  RouterPort port;
  port.is_routed = true;
  port.asks_dhcp = config.dhcp;
  port.mac = config.mac;
  port.mtu = config.mtu;
  port.has4 = config.has_address;
  port.bits = config.prefix_bits;
  copy_address(config.address, port.address);
  port.has_gateway = copy_address(config.gateway, port.gateway);
  port.has6 = config.has_address6;
  copy_address(config.address6, port.address6);
  port.has_gateway6 = copy_address(config.gateway6, port.gateway6);
  return port;
}

}  // namespace

bool find_interfaces(const runtime::Config& config, Interfaces& out) {
  std::array<InterfaceShape, kMaxRouterPorts> shapes;
  for (std::size_t i = 0; i < config.interfaces(); ++i) {
    const runtime::InterfaceConfig& interface = config.interface(i);
    shapes[i] = {interface.present, !interface.is_frame_port(), interface.name};
    out.names[i] = interface.name;
  }
  static_cast<InterfaceUses&>(out) = find_uses(std::span(shapes).first(config.interfaces()));
  if (!out.is_possible()) {
    runtime::print("firewall: ", kImpossible, out.bare, " and ", out.routable);
    return false;
  }
  for (std::size_t i = 0; i < config.interfaces(); ++i) {
    const bool is_forwarded =
        out.uses[i] == InterfaceUse::routed || out.uses[i] == InterfaceUse::bridged;
    if (!is_forwarded) continue;
    if (out.names[i].empty()) {
      runtime::print("firewall: net", i,
                     " has no name in the config: rules could not speak of it");
      return false;
    }
    out.ports[out.count++] = i;
    if (out.is_routed) out.routed[i] = router_port(config.interface(i));
  }
  return true;
}

void update_address(std::size_t number, RouterPort& port) {
  const runtime::InterfaceState state = runtime::interface_state(number);
  port.has4 = state.has_address;
  port.bits = state.prefix_bits;
  copy_address(state.address, port.address);
  port.has_gateway = copy_address(state.gateway, port.gateway);
}

}  // namespace images::firewall
