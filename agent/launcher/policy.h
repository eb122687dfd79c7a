// What launcher.conf has to say to a packet that is well formed. Pure: no system call.
#pragma once

#include <vector>

#include "agent/launcher/conf.h"
#include "agent/launcher/messages.h"

namespace launcher {

/// What running instances already hold.
struct Held {
  std::vector<Ipv4> addresses = {};
  std::vector<Ipv6> addresses6 = {};
  std::vector<MacAddress> macs = {};
  std::vector<std::string> serial_lines = {};  // paths
};

/// Errors: no_memory, forbidden, conflict, bad_argument; each names the key of launcher.conf.
proto::Status may_start(const Conf& conf, const StartRequest& request, const Held& held);
/// Errors: port_taken for a denied port, bad_argument for a guest outside the subnet or a port
/// that is listed twice.
proto::Status may_publish(const Conf& conf, const std::vector<WirePort>& ports);
/// Errors: forbidden for two bridges that launcher.conf does not let be joined.
proto::Status may_bypass(const Conf& conf, const std::vector<BridgePair>& wanted);

MacAddress mac_of(const WireInterface& wire);
/// Its MAC and the addresses that are written down for it are its instance's from now on.
void hold_interface(const WireInterface& wire, Held& held);

}  // namespace launcher
