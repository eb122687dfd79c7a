// The firewall as text: pure functions from checked numbers to nftables commands. No string from a
// request ever gets in. One table, `inet fleet`, and `netdev fleet` for the taps' source filters;
// everything that changes is a map or a chain of one instance, so that a change is one transaction
// and no base chain is ever replaced under traffic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/launcher/conf.h"
#include "agent/launcher/messages.h"

namespace launcher {

/// What the rules of one instance need.
struct GuestRules {
  struct Port {
    std::string tap;          // made by us
    MacAddress mac;
    Ipv4 address;             // 0 = none, or asked for by DHCP
    Ipv6 address6;            // host bridges only
    bool filtered = true;     // false: a promiscuous port of a host bridge
    bool managed = true;      // on fleet0: its traffic is routed and NATed
    bool dhcp = false;        // it asks for an IPv4 address: nobody here knows which
  };
  std::uint32_t slot = 0;     // names the chains
  std::vector<Port> ports;
  bool egress_any = true;
  std::vector<WireEgress> egress;
};

/// Replaces the table by an empty one: hooks, maps, no guest, nothing published.
/// in     forwards_others: the host was a router before the launcher came
std::string base_rules(const Conf& conf, bool forwards_others);
/// Removes the table, if it is there.
std::string no_rules();
/// Source filter on each tap, and what the guest may open.
std::string add_guest_rules(const GuestRules& guest);
/// Takes back exactly what add_guest_rules() made. Its taps must still be there.
std::string remove_guest_rules(const GuestRules& guest);
/// The whole list of published ports. in: checked, without two entries for one key.
std::string publish_rules(const std::vector<WirePort>& ports);
/// An answer that may still come after its flow was forgotten.
struct LateAnswer {
  Ipv4 guest;
  std::uint16_t guest_port = 0;
  Ipv4 client;
  std::uint16_t client_port = 0;
  Ipv4 host;                  // what the client asked, and must see as the source
  std::uint16_t host_port = 0;
};
/// Translates the UDP answers named, without conntrack: if such an answer were tracked, it would
/// look as if the old guest had spoken first, and lead the client back to it. Replaces the list.
std::string late_rules(const std::vector<LateAnswer>& answers);

}  // namespace launcher
