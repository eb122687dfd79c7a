#include "images/firewall/interface_uses.h"

namespace images::firewall {

InterfaceUses find_uses(std::span<const InterfaceShape> interfaces) {
  InterfaceUses out;
  const auto is_routable = [](const InterfaceShape& one) {
    return one.has_address && one.name != kManagement;
  };
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    const InterfaceShape& one = interfaces[i];
    if (!one.is_present) continue;
    out.uses[i] = InterfaceUse::own;
    if (one.has_address) out.addressed[i] = one.name;
    out.bare += one.has_address ? 0 : 1;
    out.routable += is_routable(one) ? 1 : 0;
  }
  out.is_routed = out.bare == 0 && out.routable >= 2;
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    const InterfaceShape& one = interfaces[i];
    const bool is_forwarded = out.is_routed ? is_routable(one) : !one.has_address;
    if (!one.is_present || !is_forwarded) continue;
    out.forwarded[i] = one.name;
    out.uses[i] = out.is_routed ? InterfaceUse::routed : InterfaceUse::bridged;
  }
  return out;
}

}  // namespace images::firewall
