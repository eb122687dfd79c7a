#include "images/runtime/net/interface.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/mld6.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <netif/ethernet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/net/hooks.h"
#include "images/runtime/net/ip6_guard.h"
#include "images/runtime/platform.h"

namespace images::runtime::net {
namespace {

constexpr std::size_t kMaxFrameBytes = 1514;

struct Interface {
  netif device{};
  std::size_t port = 0;
  ip6_addr_t gateway6{};
  bool has_gateway6 = false;
  bool is_up = false;
  FrameFilter filter = nullptr;
  void* filter_argument = nullptr;
};

std::array<Interface, platform::kMaxPorts> interfaces;
std::array<char, 64> host_name{};
WayFinder way_finder = nullptr;

err_t send_packet(netif* device, pbuf* packet) {
  std::array<std::uint8_t, kMaxFrameBytes> frame;
  if (packet->tot_len > frame.size()) return ERR_BUF;
  pbuf_copy_partial(packet, frame.data(), packet->tot_len, 0);
  const std::size_t port = static_cast<const Interface*>(device->state)->port;
  return platform::net_send(port, {frame.data(), packet->tot_len}) ? ERR_OK : ERR_MEM;
}

err_t set_up_device(netif* device) {
  device->name[0] = 'n';
  device->name[1] = 'e';
  device->hwaddr_len = 6;
  device->output = etharp_output;
  device->output_ip6 = ethip6_output;
  device->linkoutput = send_packet;
  device->flags =
      NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
  return ERR_OK;
}

ip4_addr_t to_lwip(const std::array<std::uint8_t, 4>& address) {
  ip4_addr_t result;
  IP4_ADDR(&result, address[0], address[1], address[2], address[3]);
  return result;
}

ip6_addr_t to_lwip(const std::array<std::uint8_t, 16>& address) {
  ip6_addr_t result{};
  std::memcpy(result.addr, address.data(), address.size());
  return result;
}

void start_ip6(Interface& interface, const InterfaceConfig& config) {
  netif_create_ip6_linklocal_address(&interface.device, 1);
  ip6_addr_t address = to_lwip(config.address6);
  ip6_addr_assign_zone(&address, IP6_UNICAST, &interface.device);
  netif_ip6_addr_set(&interface.device, 1, &address);
  // In use unless somebody on the link says that it is theirs.
  netif_ip6_addr_set_state(&interface.device, 1, IP6_ADDR_TENTATIVE);
  interface.gateway6 = to_lwip(config.gateway6);
  interface.has_gateway6 = !ip6_addr_isany(&interface.gateway6);
  ip6_addr_assign_zone(&interface.gateway6, IP6_UNICAST, &interface.device);
}

/// Only unicast: what is for a group leaves by the interface that it is meant for.
bool find_way(std::span<const std::uint8_t> address, Way& out) {
  const bool is_group = address.size() == 4 ? address[0] >= 224 : address[0] == 0xff;
  const bool of_link = address.size() == 16 && address[0] == 0xfe;
  if (way_finder == nullptr || is_group || of_link) return false;
  return way_finder(address, out) && is_interface(out.port);
}

std::span<const std::uint8_t> bytes_of(const ip4_addr_t& address) {
  return {reinterpret_cast<const std::uint8_t*>(&address.addr), 4};
}

std::span<const std::uint8_t> bytes_of(const ip6_addr_t& address) {
  return {reinterpret_cast<const std::uint8_t*>(address.addr), 16};
}

netif* leading_to(std::span<const std::uint8_t> address) {
  Way way;
  return find_way(address, way) ? &interfaces[way.port].device : nullptr;
}

}  // namespace

void start_interface(std::size_t port, const InterfaceConfig& config, std::string_view hostname) {
  Interface& interface = interfaces[port];
  netif& device = interface.device;
  interface.port = port;
  interface.is_up = true;
  const std::uint32_t mask =
      config.prefix_bits == 0 ? 0 : ~std::uint32_t{0} << (32 - config.prefix_bits);
  ip4_addr_t netmask;
  ip4_addr_set_u32(&netmask, lwip_htonl(mask));
  const ip4_addr_t address = to_lwip(config.address);
  const ip4_addr_t gateway = to_lwip(config.gateway);
  std::copy(config.mac.begin(), config.mac.end(), device.hwaddr);
  device.mtu = config.mtu;
  RUNTIME_ASSERT(netif_add(&device, &address, &netmask, &gateway, &interface, set_up_device,
                           ethernet_input) != nullptr);
  device.mtu = config.mtu;
  const std::size_t name_size = std::min(hostname.size(), host_name.size() - 1);
  std::copy_n(hostname.begin(), name_size, host_name.begin());
  netif_set_hostname(&device, host_name.data());
  // Packets to elsewhere leave by the first interface that has a way out.
  const bool has_way_out = config.dhcp || !ip4_addr_isany_val(gateway);
  if (netif_default == nullptr ||
      (has_way_out && ip4_addr_isany_val(*netif_ip4_gw(netif_default)))) {
    netif_set_default(&device);
  }
  netif_set_up(&device);
  if (config.has_address6) start_ip6(interface, config);
  netif_set_link_up(&device);
  if (config.dhcp) RUNTIME_ASSERT(dhcp_start(&device) == ERR_OK);
}

bool is_interface(std::size_t port) { return port < interfaces.size() && interfaces[port].is_up; }

void give_frame(std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms) {
  Interface& interface = interfaces[port];
  const bool is_wanted = interface.filter == nullptr ||
                         interface.filter(interface.filter_argument, port, frame, now_ms);
  if (!is_wanted) return;
  netif& device = interface.device;
  const auto size = static_cast<u16_t>(frame.size());
  pbuf* packet = pbuf_alloc(PBUF_RAW, size, PBUF_POOL);
  if (packet == nullptr) return;  // no buffer: dropped, as on any full link
  pbuf_take(packet, frame.data(), size);
  if (device.input(packet, &device) != ERR_OK) pbuf_free(packet);
}

}  // namespace images::runtime::net

namespace images::runtime {

bool filter_frames(std::size_t port, FrameFilter filter, void* argument) {
  if (!net::is_interface(port)) return false;
  net::interfaces[port].filter = filter;
  net::interfaces[port].filter_argument = argument;
  return true;
}

void find_ways(WayFinder finder) { net::way_finder = finder; }

InterfaceState interface_state(std::size_t index) {
  InterfaceState state;
  if (index >= net::interfaces.size()) return state;
  const netif& device = net::interfaces[index].device;
  const std::uint32_t address = ip4_addr_get_u32(netif_ip4_addr(&device));
  state.has_address = address != 0;
  std::memcpy(state.address.data(), &address, state.address.size());
  const std::uint32_t mask = lwip_ntohl(ip4_addr_get_u32(netif_ip4_netmask(&device)));
  state.prefix_bits = static_cast<std::uint8_t>(std::countl_one(mask));
  const std::uint32_t gateway = ip4_addr_get_u32(netif_ip4_gw(&device));
  std::memcpy(state.gateway.data(), &gateway, state.gateway.size());
  return state;
}

}  // namespace images::runtime

extern "C" {

int fleet_ip6_input(pbuf* packet) {
  const std::span bytes(static_cast<const std::uint8_t*>(packet->payload), packet->len);
  if (images::runtime::net::is_wanted_ip6(bytes)) return 0;
  pbuf_free(packet);
  return 1;
}

const ip6_addr_t* fleet_ip6_gateway(netif* device, const ip6_addr_t* to) {
  namespace net = images::runtime::net;
  const auto* interface = static_cast<const net::Interface*>(device->state);
  images::runtime::Way way;
  static ip6_addr_t found;  // until it is asked again
  if (net::find_way(net::bytes_of(*to), way) && way.port == interface->port && way.has_gateway) {
    found = net::to_lwip(way.gateway);
    ip6_addr_assign_zone(&found, IP6_UNICAST, device);
    return &found;
  }
  return interface->has_gateway6 ? &interface->gateway6 : nullptr;
}

const ip4_addr_t* fleet_ip4_gateway(netif* device, const ip4_addr_t* to) {
  namespace net = images::runtime::net;
  images::runtime::Way way;
  static ip4_addr_t found;
  const bool is_here = net::find_way(net::bytes_of(*to), way) &&
                       way.port == static_cast<const net::Interface*>(device->state)->port;
  if (!is_here || !way.has_gateway) return nullptr;
  IP4_ADDR(&found, way.gateway[0], way.gateway[1], way.gateway[2], way.gateway[3]);
  return &found;
}

netif* fleet_ip4_way(const ip4_addr_t* to) {
  return images::runtime::net::leading_to(images::runtime::net::bytes_of(*to));
}

netif* fleet_ip6_way(const ip6_addr_t* to) {
  return images::runtime::net::leading_to(images::runtime::net::bytes_of(*to));
}
}
