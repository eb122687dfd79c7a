#include "images/runtime/net/net.h"

#include <lwip/init.h>
#include <lwip/timeouts.h>

#include <algorithm>
#include <array>
#include <span>

#include "images/runtime/appliance.h"
#include "images/runtime/console.h"
#include "images/runtime/net/frame_port.h"
#include "images/runtime/net/interface.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::runtime::net {
namespace {

static_assert(platform::kMaxPorts == abi::kMaxVolumeInterfaces);

constexpr std::uint64_t kLongestSleepMs = 60'000;
constexpr int kFramesPerPoll = 64;  // of one port; then others and timers get their turn, also
                                    // under a flood

std::array<std::size_t, platform::kMaxPorts> open_ports;
std::size_t open_count = 0;
std::array<std::uint8_t, 2048> frame_buffer;

/// One frame of a port. False: none waits.
bool take_frame(std::size_t port, std::uint64_t now_ms) {
  const std::size_t size = platform::net_receive(port, frame_buffer);
  if (size == 0) return false;
  if (size == frame_buffer.size()) return true;  // longer than any frame of ours: cut off, dropped
  const std::span<std::uint8_t> frame(frame_buffer.data(), size);
  if (is_frame_port(port)) {
    hand_over_frame(port, frame, now_ms);
  } else {
    give_frame(port, frame, now_ms);
  }
  return true;
}

}  // namespace

void start(const Config& config) {
  lwip_init();
  for (std::size_t i = 0; i < config.interfaces(); ++i) {
    const InterfaceConfig& interface = config.interface(i);
    if (!interface.present) continue;
    open_ports[open_count++] = i;
    if (interface.is_frame_port()) {
      add_frame_port(i);
    } else {
      start_interface(i, interface, config.hostname());
    }
  }
}

std::uint64_t poll() {
  bool more = false;
  // Asked once for many frames: on spt the clock is a system call.
  const std::uint64_t begun_ms = platform::monotonic_ms();
  for (std::size_t i = 0; i < open_count; ++i) {
    int left = kFramesPerPoll;
    while (left > 0 && take_frame(open_ports[i], begun_ms)) --left;
    more = more || left == 0;
  }
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
