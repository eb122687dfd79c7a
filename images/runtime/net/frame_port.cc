#include "images/runtime/net/frame_port.h"

#include <array>

#include "images/runtime/appliance.h"
#include "images/runtime/net/interface.h"
#include "images/runtime/platform.h"

namespace images::runtime {
namespace {

struct FramePort {
  bool present = false;
  FrameHandler handler = nullptr;
  void* argument = nullptr;
};

std::array<FramePort, platform::kMaxPorts> ports;

}  // namespace

namespace net {

void add_frame_port(std::size_t port) { ports[port].present = true; }

bool is_frame_port(std::size_t port) { return ports[port].present; }

void hand_over_frame(std::size_t port, std::span<std::uint8_t> frame, std::uint64_t now_ms) {
  const FramePort& taker = ports[port];
  if (taker.handler != nullptr) taker.handler(taker.argument, port, frame, now_ms);
}

}  // namespace net

bool take_frames(std::size_t port, FrameHandler handler, void* argument) {
  if (port >= ports.size() || !ports[port].present) return false;
  ports[port].handler = handler;
  ports[port].argument = argument;
  return true;
}

bool send_frame(std::size_t port, std::span<const std::uint8_t> frame) {
  const bool is_open = port < ports.size() && (ports[port].present || net::is_interface(port));
  return is_open && platform::net_send(port, frame);
}

}  // namespace images::runtime
