// What an appliance writes and what it calls: the whole of images/runtime that it needs to know.
// How to build one: README.md beside this file.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "images/abi/elf.h"
#include "images/runtime/arena.h"
#include "images/runtime/config.h"

namespace images::runtime {

/// Written by the appliance. Called once, with the config read, the network up and a clock; sets
/// everything up and calls run(). What it returns ends the guest (0..31, images/abi/exit_codes.h).
int appliance_main(const Config& config, Arena& memory);

/// Serve for ever: packets, timers, sleep. Callbacks run inside it, one at a time.
[[noreturn]] void run();

/// Call `function(argument)` once, after that many milliseconds, inside run(). Panics if more than
/// 8 are waiting.
void call_after(std::uint32_t delay_ms, void (*function)(void*), void* argument);

// Network. The interfaces of the config are ports 0, 1, ... in the order of the manifest. A port
// with an address belongs to lwIP (lwip/udp.h, lwip/tcp.h); one without
// (InterfaceConfig::is_frame_port) hands its frames to the appliance, and they never pass lwIP.

/// Gets one Ethernet frame (14..1518 bytes, without FCS; bytes from anybody). It may change the
/// frame, which is gone when it returns. now_ms: the guest's monotonic clock when it was taken in.
using FrameHandler = void (*)(void* argument, std::size_t port, std::span<std::uint8_t> frame,
                              std::uint64_t now_ms);

/// Have the frames of a port without an address handed over, from run() on. Before, they wait in
/// the host's queue or are lost there. False: there is no such port.
bool take_frames(std::size_t port, FrameHandler handler, void* argument);

/// Send a frame from a port, with an address or without. False: there is no such port, or the host
/// has no room now and the frame is lost, as on any full link.
bool send_frame(std::size_t port, std::span<const std::uint8_t> frame);

/// Judges one frame before lwIP sees it. True: it may. Of one that it may not, the filter can make
/// what it wants.
using FrameFilter = bool (*)(void* argument, std::size_t port, std::span<std::uint8_t> frame,
                             std::uint64_t now_ms);

/// Have the frames that come in by a port with an address judged first, from run() on. False: there
/// is no such port.
bool filter_frames(std::size_t port, FrameFilter filter, void* argument);

/// The IPv4 address that an interface has now: the config's, or what DHCP told it.
struct InterfaceState {
  bool has_address = false;
  std::array<std::uint8_t, 4> address{};  // network order, as the next
  std::uint8_t prefix_bits = 0;
  std::array<std::uint8_t, 4> gateway{};  // 0.0.0.0 = none
};
InterfaceState interface_state(std::size_t port);

/// Where what the guest sends by itself goes.
struct Way {
  std::size_t port = 0;
  bool has_gateway = false;
  std::array<std::uint8_t, 16> gateway{};  // network order, IPv4 in the first 4
};
/// in     address: 4 or 16 bytes, network order. False: it does not know.
using WayFinder = bool (*)(std::span<const std::uint8_t> address, Way& out);

/// Ask it for the way to what is on no interface's network. Where it does not know, or without one,
/// the way is the gateway of the config.
void find_ways(WayFinder finder);

/// An ELF note of what the app's files and arguments are written in (images/inspect).
template <std::size_t size>
struct LanguageNote {
  abi::ElfNote header{9, size, abi::kUnifleetLanguageNote};
  char owner[12] = "Unifleet";
  char text[(size + 3) / 4 * 4]{};

  constexpr explicit LanguageNote(const char (&from)[size]) {
    for (std::size_t i = 0; i < size; ++i) text[i] = from[i];
  }
};

}  // namespace images::runtime

/// Once, in main.cc: "firewall/1" lets `fleetctl push` check the app's files before it signs. The
/// number is that of the language, and goes up when something is read otherwise than before.
#define RUNTIME_CONFIG_LANGUAGE(text)                                                           \
  extern "C" constinit const __attribute__((section(".note.unifleet"), aligned(4), used))       \
      ::images::runtime::LanguageNote<sizeof(text)> note_language(text)
