// Network links through rtnetlink: the bridge, the taps, their addresses and states. No socket but
// AF_NETLINK; names come from launcher.conf or are made here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/launcher/fd.h"
#include "agent/launcher/net_types.h"
#include "proto/result.h"

struct mnl_socket;
struct nlmsghdr;

namespace launcher {

/// The alias that marks a link as made by us.
inline constexpr char kLinkAlias[] = "unifleet launcher";

struct Link {
  std::uint32_t index = 0;
  std::uint32_t mtu = 0;
  std::uint32_t master = 0;  // index of its bridge, 0 = none
  std::string name;
  std::string kind;          // "bridge", "tun", "veth", ""
  bool ours = false;         // carries kLinkAlias
};

struct BridgeSpec {
  std::string name;
  Ipv4 address;
  std::uint8_t prefix;
  MacAddress mac;            // fixed: else it would change with the ports, and guests' ARP with it
};

struct TapSpec {
  std::string name;
  std::string bridge;
  bool isolated = true;      // cannot reach other isolated ports
  bool up = true;
  bool virtio_header = true; // before each frame, as QEMU wants it; a tender wants bare frames
};

/// A cable between two bridges: two links that are each other's end.
struct CableSpec {
  std::array<std::string, 2> names;
  std::array<std::string, 2> bridges;
};

class Links {
 public:
  Links() = default;
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  /// Errors of all: launcher with the step and the kernel's words.
  proto::Status open();
  proto::Result<std::vector<Link>> list();
  proto::Result<std::optional<Link>> find(const std::string& name);
  /// The name of a link over which the host already routes a part of `subnet`, or "". Default
  /// routes and routes over `own` do not count.
  proto::Result<std::string> route_into(const Subnet& subnet, const std::string& own);
  /// Also already_exists if a link of that name is there.
  proto::Status make_bridge(const BridgeSpec& bridge);
  /// A tap that lives as long as its descriptor (here and in the monitor), on the bridge, with the
  /// bridge's MTU.
  proto::Result<Fd> make_tap(const TapSpec& tap);
  /// Both ends up, on their bridges. Also not_found for a bridge. On an error nothing is left.
  proto::Status make_cable(const CableSpec& cable);
  proto::Status set_up(const std::string& name, bool up);
  /// Of a cable, by one end's name. One that is not there is no error.
  proto::Status remove(const std::string& name);

 private:
  proto::Status talk(nlmsghdr* message, const char* what);
  /// Errors: not_found
  proto::Result<Link> find_bridge(const std::string& name);
  /// Puts it on the bridge, marked as ours, with the bridge's MTU.
  proto::Status enslave(const std::string& name, const Link& bridge, const char* what);
  proto::Status isolate(std::uint32_t index);

  mnl_socket* socket_ = nullptr;
  std::uint32_t sequence_ = 0;
};

}  // namespace launcher
