// /etc/fleet/launcher.conf: what root allows the agent to ask for. Simple `key = value` lines.
// The launcher never starts on a file that somebody else could have written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/launcher/net_types.h"
#include "proto/result.h"

namespace launcher {

// Where Debian has the QEMU of this CPU, and its package.
#ifdef __aarch64__
inline constexpr char kDefaultQemu[] = "/usr/bin/qemu-system-aarch64";
inline constexpr char kQemuPackage[] = "qemu-system-arm";
#else
inline constexpr char kDefaultQemu[] = "/usr/bin/qemu-system-x86_64";
inline constexpr char kQemuPackage[] = "qemu-system-x86";
#endif

/// A line that is lent: `serial_lines = /dev/ttyUSB0:9600`.
struct SerialPort {
  std::string path;
  std::uint32_t baud = 115200;
};

struct Conf {
  std::string agent_user;                    // name, or empty when agent_uid is given
  std::uint32_t agent_uid = 0;
  std::uint32_t agent_gid = 0;               // of agent_user; with agent_uid the same number
  std::string socket = "/run/fleet-launcher/launcher.sock";
  std::string bridge = "fleet0";
  Subnet subnet{Ipv4{0x0ad54d00}, 24};       // 10.213.77.0/24
  std::vector<std::string> host_bridges;     // further bridges that guests may join
  std::vector<BridgePair> bypasses;          // of host_bridges: may be joined (on_down: bypass)
  std::uint32_t uid_first = 0x7e000000;      // one uid (and gid) per instance from here on
  std::uint32_t memory_max_mib = 1024;       // for one instance, its monitor included
  std::uint32_t cpu_percent_max = 0;         // for one instance; 0 = no bound
  std::vector<SerialPort> serial_lines;      // of the host, that guests may be given
  std::vector<PortRange> allowed_ports{{1, 65535}};
  std::vector<PortRange> denied_ports{{22, 22}};
  bool allow_kvm = true;
  std::string qemu = kDefaultQemu;
  std::string spt;                           // default: fleet-spt beside the launcher
  std::string hvt;                           // default: fleet-hvt beside the launcher
  std::string tap_prefix = "flt";            // tap names: prefix, slot, -, index

  /// The host's address on the bridge: the subnet's first.
  Ipv4 gateway() const { return Ipv4{subnet.address.value + 1}; }
  bool may_publish(std::uint16_t port) const;
  /// allowed and denied as one list of what is refused, in order, without overlaps.
  std::vector<PortRange> refused_ports() const;
};

/// Parses the text of a conf file. `name` is for the errors: "launcher.conf:3: unknown key ...".
/// A missing key keeps its default; agent_user or agent_uid is required. Errors: bad_argument.
proto::Result<Conf> parse_conf(std::string_view text, const std::string& name);

/// Reads and parses it. Errors: not_found; forbidden if it is not root's or others may write it;
/// bad_argument; io.
proto::Result<Conf> load_conf(const std::string& path);

}  // namespace launcher
