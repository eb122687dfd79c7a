#include "images/runtime/net/net.h"

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#include <algorithm>
#include <array>
#include <span>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::runtime::net {
namespace {

constexpr std::size_t kMaxFrameBytes = 1514;
constexpr std::uint64_t kLongestSleepMs = 60'000;
constexpr int kFramesPerPoll = 64;  // then timers get their turn, also under a flood

netif device;
bool started = false;
std::array<char, 64> host_name{};
std::array<std::uint8_t, 2048> frame_buffer;

err_t send_frame(netif*, pbuf* packet) {
  std::array<std::uint8_t, kMaxFrameBytes> frame;
  if (packet->tot_len > frame.size()) return ERR_BUF;
  pbuf_copy_partial(packet, frame.data(), packet->tot_len, 0);
  const std::span<const std::uint8_t> bytes(frame.data(), packet->tot_len);
  return platform::net_send(bytes) ? ERR_OK : ERR_MEM;
}

err_t set_up_device(netif* interface) {
  interface->name[0] = 'n';
  interface->name[1] = 'e';
  interface->hwaddr_len = 6;
  interface->output = etharp_output;
  interface->linkoutput = send_frame;
  interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
  return ERR_OK;
}

/// One frame from the device into lwIP. False: none waits.
bool take_frame() {
  const std::size_t size = platform::net_receive(frame_buffer);
  if (size == 0) return false;
  pbuf* packet = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(size), PBUF_POOL);
  if (packet == nullptr) return true;  // no buffer: dropped, as on any full link
  pbuf_take(packet, frame_buffer.data(), static_cast<u16_t>(size));
  if (device.input(packet, &device) != ERR_OK) pbuf_free(packet);
  return true;
}

ip4_addr_t to_lwip(const std::array<std::uint8_t, 4>& address) {
  ip4_addr_t result;
  IP4_ADDR(&result, address[0], address[1], address[2], address[3]);
  return result;
}

}  // namespace

void start(const InterfaceConfig& interface, std::string_view hostname) {
  lwip_init();
  const std::uint32_t mask =
      interface.prefix_bits == 0 ? 0 : ~std::uint32_t{0} << (32 - interface.prefix_bits);
  ip4_addr_t netmask;
  ip4_addr_set_u32(&netmask, lwip_htonl(mask));
  const ip4_addr_t address = to_lwip(interface.address);
  const ip4_addr_t gateway = to_lwip(interface.gateway);
  std::copy(interface.mac.begin(), interface.mac.end(), device.hwaddr);
  device.mtu = interface.mtu;
  RUNTIME_ASSERT(netif_add(&device, &address, &netmask, &gateway, nullptr, set_up_device,
                           ethernet_input) != nullptr);
  device.mtu = interface.mtu;
  const std::size_t name_size = std::min(hostname.size(), host_name.size() - 1);
  std::copy_n(hostname.begin(), name_size, host_name.begin());
  netif_set_hostname(&device, host_name.data());
  netif_set_default(&device);
  netif_set_up(&device);
  netif_set_link_up(&device);
  started = true;
}

std::uint64_t poll() {
  if (!started) return platform::monotonic_ms() + kLongestSleepMs;
  bool more = true;
  for (int i = 0; i < kFramesPerPoll && more; ++i) more = take_frame();
  sys_check_timeouts();
  const std::uint64_t now = platform::monotonic_ms();
  if (more) return now;
  const std::uint64_t sleep = sys_timeouts_sleeptime();
  return now + std::min(sleep, kLongestSleepMs);
}

}  // namespace images::runtime::net

namespace images::runtime {

void call_after(std::uint32_t delay_ms, void (*function)(void*), void* argument) {
  sys_timeout(delay_ms, function, argument);
}

}  // namespace images::runtime

// What lwIP asks of its port (arch/cc.h, lwipopts.h).
extern "C" {

u32_t sys_now() { return static_cast<u32_t>(images::runtime::platform::monotonic_ms()); }

std::uint32_t fleet_random() { return images::runtime::random_u32(); }

void fleet_panic(const char* why) { images::runtime::panic(why); }
}
