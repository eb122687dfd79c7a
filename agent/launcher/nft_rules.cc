// The firewall as text. Order in the forward chain: what is known, then what is forbidden, then
// what is asked for; the last word for our bridge is always drop.
#include "agent/launcher/nft_rules.h"

#include <set>
#include <tuple>

namespace launcher {
namespace {

std::string chain_of(const char* kind, std::uint32_t slot) {
  return std::string(kind) + "_" + std::to_string(slot);
}

std::string hex(const MacAddress& mac) {
  std::string text = "0x";
  for (const char c : to_string(mac)) {
    if (c != ':') text += c;
  }
  return text;
}

std::string hex(const Ipv6& ip) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const std::uint8_t byte : ip.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string egress_rule(const WireEgress& rule) {
  std::string text;
  if (rule.prefix > 0) {
    text += " ip daddr " + to_string(Subnet{Ipv4{rule.address}, rule.prefix});
  }
  const auto protocol = static_cast<Protocol>(rule.protocol);
  if (protocol == Protocol::any && rule.port != 0) {
    text += " meta l4proto { tcp, udp }";
  } else if (protocol != Protocol::any) {
    text += " meta l4proto " + std::string(to_string(protocol));
  }
  if (rule.port != 0) text += " th dport " + std::to_string(rule.port);
  return text + " accept";
}

/// It has that address and the one of its link, and speaks for no other (RFC 4861, 4.3 to 4.5);
/// :: looks for duplicates. Bytes of the target, because this nft has no name for it.
std::string source_filter6(const GuestRules::Port& port, const std::string& rule) {
  const Ipv6 own[] = {port.address6, link_local(port.mac)};
  std::string text;
  for (const Ipv6& ip : own) {
    text += rule + "icmpv6 type nd-neighbor-advert ip6 saddr " + to_string(ip) + " @th,64,128 " +
            hex(ip) + " accept\n";
  }
  text += rule + "icmpv6 type { nd-neighbor-advert, nd-router-advert, nd-redirect } drop\n";
  text += rule + "ip6 saddr { ::, " + to_string(own[0]) + ", " + to_string(own[1]) + " } accept\n";
  return text + rule + "ether type ip6 drop\n";
}

/// One tap's filter at the bridge's door: before the bridge could learn or forward anything. In a
/// netdev table, because an inet table's ingress sees IP alone and lets ARP pass.
std::string source_filter(const GuestRules::Port& port, const std::string& chain) {
  std::string text = "add chain netdev fleet " + chain + " { type filter hook ingress device \"" +
                     port.tap + "\" priority 0; policy accept; }\n";
  const std::string rule = "add rule netdev fleet " + chain + " ";
  if (!port.filtered) return text + rule + "accept\n";
  text += rule + "ether saddr != " + to_string(port.mac) + " drop\n";
  if (!port.address6.is_none()) text += source_filter6(port, rule);
  const bool has_any = port.address.value != 0 || !port.address6.is_none();
  if (port.dhcp || !has_any) return text + rule + "accept\n";
  if (port.address.value != 0) {
    const std::string ip = to_string(port.address);
    text += rule + "ether type ip ip saddr " + ip + " accept\n";
    // ARP: sender hardware address and sender protocol address; 0 is a probe for duplicates.
    text += rule + "ether type arp @nh,64,48 " + hex(port.mac) + " arp saddr ip { 0.0.0.0, " + ip +
            " } accept\n";
  }
  return text + rule + "drop\n";  // all else: no guest of ours speaks it
}

}  // namespace

std::string no_rules() {
  return "add table inet fleet\ndelete table inet fleet\n"
         "add table netdev fleet\ndelete table netdev fleet\n";
}

namespace {

// The host forwards for our bridge alone: between others only if it did before we came, or it would
// route past a firewall that joins them. Frames within a bridge are none of it (br_netfilter).
std::string keep_apart(const Conf& conf, const std::string& ours) {
  std::string text;
  for (const std::string& name : conf.host_bridges) {
    const std::string own = "\"" + name + "\"";
    const std::string spared = "{ " + own + ", " + ours + " }";
    text += "    iifname " + own + " oifname != " + spared + " drop\n";
    text += "    oifname " + own + " iifname != " + spared + " drop\n";
  }
  return text;
}

}  // namespace

std::string base_rules(const Conf& conf, bool forwards_others) {
  const std::string bridge = "\"" + conf.bridge + "\"";
  const std::string subnet = to_string(conf.subnet);
  return no_rules() + R"(table netdev fleet { }
table inet fleet {
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map published_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map guests { type ipv4_addr : verdict; }
  set late { type ipv4_addr . inet_service . ipv4_addr . inet_service; }
  map late_hosts { type ipv4_addr . inet_service . ipv4_addr . inet_service : ipv4_addr; }
  chain late_raw {
    type filter hook prerouting priority -300; policy accept;
    iifname )" + bridge + R"( ip saddr . udp sport . ip daddr . udp dport @late notrack
  }
  chain late_source { }
  chain late_out {
    type filter hook postrouting priority 0; policy accept;
    ct state untracked jump late_source
  }
  chain publish {
    dnat ip to ip daddr . meta l4proto . th dport map @published_at
    dnat ip to meta l4proto . th dport map @published
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    meta nfproto ipv4 meta l4proto { tcp, udp } fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 meta l4proto { tcp, udp } fib daddr type local jump publish
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    # Never from a low port: a guest's own flow must not look like the answer of a published one.
    ip saddr )" + subnet + " oifname != " + bridge + R"( meta l4proto { tcp, udp } \
      masquerade to :32768-60999 random
    ip saddr )" + subnet + " oifname != " + bridge + R"( masquerade
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname )" + bridge + R"( ct state established,related accept
    iifname )" + bridge + R"( drop
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
)" + (forwards_others ? "" : keep_apart(conf, bridge)) +
         "    iifname != " + bridge + " oifname != " + bridge + R"( accept
    iifname )" + bridge + " oifname " + bridge + R"( drop
    ct state established,related,untracked accept
    oifname )" + bridge + R"( ct status dnat accept
    oifname )" + bridge + R"( drop
    ip saddr vmap @guests
    drop
  }
}
)";
}

std::string add_guest_rules(const GuestRules& guest) {
  std::string text;
  const std::string egress = chain_of("egress", guest.slot);
  text += "add chain inet fleet " + egress + "\n";
  if (guest.egress_any) text += "add rule inet fleet " + egress + " accept\n";
  for (const WireEgress& rule : guest.egress) {
    text += "add rule inet fleet " + egress + egress_rule(rule) + "\n";
  }
  for (std::size_t i = 0; i < guest.ports.size(); ++i) {
    const GuestRules::Port& port = guest.ports[i];
    text += source_filter(port, chain_of("source", guest.slot) + "_" + std::to_string(i));
    if (!port.managed || port.address.value == 0) continue;
    text += "add element inet fleet guests { " + to_string(port.address) + " : jump " + egress +
            " }\n";
  }
  return text;
}

std::string remove_guest_rules(const GuestRules& guest) {
  std::string text;
  for (std::size_t i = 0; i < guest.ports.size(); ++i) {
    const GuestRules::Port& port = guest.ports[i];
    const std::string chain = chain_of("source", guest.slot) + "_" + std::to_string(i);
    text += "flush chain netdev fleet " + chain + "\ndelete chain netdev fleet " + chain + "\n";
    if (!port.managed || port.address.value == 0) continue;
    text += "delete element inet fleet guests { " + to_string(port.address) + " }\n";
  }
  const std::string egress = chain_of("egress", guest.slot);
  return text + "flush chain inet fleet " + egress + "\ndelete chain inet fleet " + egress + "\n";
}

std::string publish_rules(const std::vector<WirePort>& ports) {
  std::string text = "flush map inet fleet published\nflush map inet fleet published_at\n";
  for (const WirePort& port : ports) {
    const std::string key = std::string(to_string(static_cast<Protocol>(port.protocol))) + " . " +
                            std::to_string(port.host_port);
    const std::string target =
        to_string(Ipv4{port.guest_address}) + " . " + std::to_string(port.guest_port);
    if (port.host_address == 0) {
      text += "add element inet fleet published { " + key + " : " + target + " }\n";
    } else {
      text += "add element inet fleet published_at { " + to_string(Ipv4{port.host_address}) +
              " . " + key + " : " + target + " }\n";
    }
  }
  return text;
}

std::string late_rules(const std::vector<LateAnswer>& answers) {
  std::string text = "flush chain inet fleet late_source\nflush set inet fleet late\n"
                     "flush map inet fleet late_hosts\n";
  std::set<std::tuple<Ipv4, std::uint16_t, std::uint16_t>> ports;
  for (const LateAnswer& answer : answers) {
    const std::string key = to_string(answer.guest) + " . " + std::to_string(answer.guest_port) +
                            " . " + to_string(answer.client) + " . " +
                            std::to_string(answer.client_port);
    text += "add element inet fleet late { " + key + " }\n";
    text += "add element inet fleet late_hosts { " + key + " : " + to_string(answer.host) + " }\n";
    ports.insert({answer.guest, answer.guest_port, answer.host_port});
  }
  for (const auto& [guest, guest_port, host_port] : ports) {
    // Both in one rule: the look-up needs the packet as it came.
    text += "add rule inet fleet late_source ip saddr " + to_string(guest) + " udp sport " +
            std::to_string(guest_port) +
            " ip saddr set ip saddr . udp sport . ip daddr . udp dport map @late_hosts" +
            " udp sport set " + std::to_string(host_port) + "\n";
  }
  return text;
}

}  // namespace launcher
