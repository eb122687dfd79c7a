// Addresses, MACs, published ports: values and their checks.
#include "agent/network.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include "proto/manifest.h"

namespace agent {
namespace {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

/// FNV-1a: spreads, is no secret, and stays the same for ever.
std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

bool parse_port(std::string_view text, std::uint16_t& out) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (number == 0 || number > 65535) return false;
  out = static_cast<std::uint16_t>(number);
  return true;
}

std::string name_of(const PortMapping& port) {
  const std::string host = port.host_address.value == 0 ? "" : to_string(port.host_address) + ":";
  return host + std::to_string(port.host_port) + "/" + std::string(to_string(port.protocol));
}

bool collide(Ipv4 a, Ipv4 b) { return a.value == 0 || b.value == 0 || a == b; }

bool same_port(const PortMapping& a, const PortMapping& b) {
  return a.protocol == b.protocol && a.host_port == b.host_port &&
         collide(a.host_address, b.host_address);
}

Error taken(const PortMapping& port, const std::string& holder) {
  return Error{Code::port_taken, "port " + name_of(port) + " is taken by " + holder, ""};
}

}  // namespace

MacAddress mac_for(const std::string& instance_id, std::uint32_t interface_index) {
  const std::uint64_t hash = fnv1a(instance_id + "/" + std::to_string(interface_index));
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) mac.bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfc) | 0x02);
  return mac;
}

Result<PortMapping> parse_port_mapping(const std::string& text) {
  const Error bad{Code::bad_argument,
                  "\"" + text + "\": write [HOST_ADDRESS:]HOST_PORT:GUEST_PORT/tcp|udp", ""};
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return bad;
  PortMapping mapping;
  const std::string protocol = text.substr(slash + 1);
  if (protocol != "tcp" && protocol != "udp") return bad;
  mapping.protocol = protocol == "tcp" ? Protocol::tcp : Protocol::udp;
  std::string ports = text.substr(0, slash);
  const std::size_t last = ports.rfind(':');
  if (last == std::string::npos) return bad;
  if (!parse_port(std::string_view(ports).substr(last + 1), mapping.guest_port)) return bad;
  ports.resize(last);
  const std::size_t colon = ports.rfind(':');
  if (colon != std::string::npos) {
    const auto address = launcher::parse_ipv4(std::string_view(ports).substr(0, colon));
    if (!address) return Error{Code::bad_argument, "\"" + text + "\": " + address.error().what, ""};
    mapping.host_address = *address;
    ports = ports.substr(colon + 1);
  }
  if (!parse_port(ports, mapping.host_port)) return bad;
  return mapping;
}

Result<EgressRule> parse_egress(const std::string& text) {
  const Error bad{Code::bad_argument,
                  "\"" + text + "\": write A.B.C.D[/N][:PORT][/tcp|udp|icmp], or any", ""};
  EgressRule rule;
  if (text == "any") return rule;
  std::string rest = text;
  for (const Protocol protocol : {Protocol::tcp, Protocol::udp, Protocol::icmp}) {
    const std::string ending = "/" + std::string(to_string(protocol));
    if (!rest.ends_with(ending)) continue;
    rule.protocol = protocol;
    rest.resize(rest.size() - ending.size());
  }
  if (const std::size_t colon = rest.find(':'); colon != std::string::npos) {
    if (!parse_port(std::string_view(rest).substr(colon + 1), rule.port)) return bad;
    if (rule.protocol == Protocol::icmp) return bad;
    rest.resize(colon);
  }
  if (rest.find('/') == std::string::npos) rest += "/32";
  const auto subnet = launcher::parse_subnet(rest);
  if (!subnet) return Error{Code::bad_argument, "\"" + text + "\": " + subnet.error().what, ""};
  rule.destination = *subnet;
  return rule;
}

std::vector<HostSocket> parse_proc_net(const std::string& content, Protocol protocol, bool ipv6) {
  // "  0: 0100007F:0035 00000000:0000 07 ..."; addresses in the CPU's byte order, hex.
  constexpr int kTcpListen = 0x0a;
  constexpr int kUdpBound = 0x07;
  std::vector<HostSocket> sockets;
  std::istringstream lines(content);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string number;
    std::string local;
    std::string remote;
    std::string state;
    if (!(fields >> number >> local >> remote >> state) || number.back() != ':') continue;
    const std::size_t colon = local.find(':');
    if (colon != (ipv6 ? 32u : 8u)) continue;
    std::uint16_t port = 0;
    std::uint32_t address = 0;
    int code = 0;
    const auto hex = [](std::string_view text, auto& out) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 16);
      return error == std::errc() && end == text.data() + text.size();
    };
    const std::string_view view = local;
    if (!hex(view.substr(colon + 1), port) || !hex(state, code)) continue;
    if (code != (protocol == Protocol::tcp ? kTcpListen : kUdpBound)) continue;
    if (ipv6) {
      if (local.find_first_not_of('0') < colon) continue;  // only [::], which takes IPv4 too
    } else if (!hex(view.substr(0, colon), address)) {
      continue;
    }
    sockets.push_back({Ipv4{__builtin_bswap32(address)}, protocol, port});
  }
  return sockets;
}

Result<std::vector<HostSocket>> host_sockets() {
  struct Table {
    const char* path;
    Protocol protocol;
    bool ipv6;
  };
  constexpr Table kTables[] = {{"/proc/net/tcp", Protocol::tcp, false},
                               {"/proc/net/udp", Protocol::udp, false},
                               {"/proc/net/tcp6", Protocol::tcp, true},
                               {"/proc/net/udp6", Protocol::udp, true}};
  std::vector<HostSocket> sockets;
  for (const Table& table : kTables) {
    std::ifstream file(table.path);
    if (!file) {
      if (table.ipv6) continue;  // a kernel without IPv6
      return Error{Code::io, std::string(table.path) + " cannot be read", ""};
    }
    std::ostringstream text;
    text << file.rdbuf();
    const auto found = parse_proc_net(text.str(), table.protocol, table.ipv6);
    sockets.insert(sockets.end(), found.begin(), found.end());
  }
  return sockets;
}

Status check_ports(const std::vector<PortMapping>& wanted, const PortHolders& holders) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const PortMapping& port = wanted[i];
    for (std::size_t j = 0; j < i; ++j) {
      if (!same_port(port, wanted[j])) continue;
      return Error{Code::bad_argument, "publish: port " + name_of(port) + " is listed twice", ""};
    }
    for (const PortRange& range : holders.denied) {
      if (!range.contains(port.host_port)) continue;
      return taken(port, "this device (launcher.conf denies it)");
    }
    for (const auto& [app, ports] : holders.apps) {
      for (const PortMapping& other : ports) {
        if (same_port(port, other)) return taken(port, "app " + app);
      }
    }
    for (const HostSocket& socket : holders.sockets) {
      if (socket.protocol == port.protocol && socket.port == port.host_port &&
          collide(socket.address, port.host_address)) {
        return taken(port, "a program on the device (listens on " + to_string(socket.address) +
                               "); see ss -lntup");
      }
    }
  }
  return {};
}

Network::Network(const LauncherInfo& info)
    : subnet_(info.subnet),
      gateway_(info.gateway),
      mtu_(static_cast<std::uint16_t>(std::min(info.mtu, 65535u))),
      next_(info.gateway) {}

void Network::adopt(const std::vector<Instance>& running) {
  for (const Instance& instance : running) {
    for (const InterfaceRequest& interface : instance.interfaces) {
      if (!subnet_.contains(interface.address)) continue;
      addresses_[instance.id] = interface.address;
      next_ = std::max(next_, interface.address);
    }
  }
}

Result<Ipv4> Network::allocate(const std::string& instance_id) {
  if (const auto known = addresses_.find(instance_id); known != addresses_.end()) {
    return known->second;
  }
  std::set<Ipv4> used;
  for (const auto& [id, address] : addresses_) used.insert(address);
  const std::uint32_t count = ~subnet_.mask();  // the last one is the broadcast address
  for (std::uint32_t tries = 0; tries < count; ++tries) {
    next_.value = next_.value + 1;
    if (next_.value >= subnet_.address.value + count || next_ <= gateway_) {
      next_.value = gateway_.value + 1;
    }
    if (used.count(next_) == 1) continue;
    addresses_[instance_id] = next_;
    return next_;
  }
  return Error{Code::no_space, "all addresses of " + to_string(subnet_) + " are in use", ""};
}

void Network::release(const std::string& instance_id) { addresses_.erase(instance_id); }

void Network::set_published(const std::string& app, std::vector<PortMapping> ports, Ipv4 guest) {
  published_[app] = AppPorts{std::move(ports), guest};
}

void Network::clear_published(const std::string& app) { published_.erase(app); }

std::vector<PublishedPort> Network::published() const {
  std::vector<PublishedPort> list;
  for (const auto& [app, of_app] : published_) {
    for (const PortMapping& port : of_app.ports) {
      list.push_back({port.host_address, port.protocol, port.host_port, of_app.guest,
                      port.guest_port});
    }
  }
  std::sort(list.begin(), list.end());
  return list;
}

std::map<std::string, std::vector<PortMapping>> Network::mappings_without(
    const std::string& except) const {
  std::map<std::string, std::vector<PortMapping>> others;
  for (const auto& [app, of_app] : published_) {
    if (app != except) others[app] = of_app.ports;
  }
  return others;
}

std::optional<BridgePair> bypass_of(const fleet::v1::AppManifest& manifest) {
  if (manifest.on_down() != fleet::v1::BYPASS) return std::nullopt;
  std::vector<std::string> bridges;
  for (const auto& interface : manifest.network()) {
    if (proto::is_frame_port(interface)) bridges.push_back(interface.bridge());
  }
  if (bridges.size() != 2) return std::nullopt;  // no manifest that was checked
  return launcher::bridge_pair(bridges[0], bridges[1]);
}

void Network::set_bypass(const std::string& app, std::optional<BridgePair> bridges) {
  if (bridges) {
    bypasses_[app] = std::move(*bridges);
  } else {
    bypasses_.erase(app);
  }
}

std::vector<BridgePair> Network::bypasses() const {
  std::set<BridgePair> all;
  for (const auto& [app, bridges] : bypasses_) all.insert(bridges);
  return {all.begin(), all.end()};
}

std::vector<Flow> stale_flows(const std::vector<PublishedPort>& before,
                              const std::vector<PublishedPort>& after) {
  std::vector<Flow> flows;
  for (const PublishedPort& old : before) {
    if (old.protocol != Protocol::udp) continue;  // TCP stays with the old one for its drain
    if (std::find(after.begin(), after.end(), old) != after.end()) continue;
    flows.push_back({old.protocol, old.host_port, old.guest_address});
  }
  // A client that asked while nothing was published, from a fixed source port, stays unheard for as
  // long as it goes on: its flow is known, and known flows are not translated anew.
  for (const PublishedPort& now : after) {
    const bool is_new = std::none_of(before.begin(), before.end(), [&now](const auto& old) {
      return old.protocol == now.protocol && old.host_port == now.host_port;
    });
    if (is_new && now.protocol == Protocol::udp) flows.push_back({now.protocol, now.host_port, {}});
  }
  return flows;
}

Status switch_ports(Launcher& launcher, const std::vector<PublishedPort>& before,
                    const std::vector<PublishedPort>& after) {
  TRY_VOID(launcher.publish(after));
  const std::vector<Flow> flows = stale_flows(before, after);
  if (flows.empty()) return {};
  return launcher.flush_flows(flows);
}

}  // namespace agent
