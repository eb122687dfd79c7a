// The rules of network, publish and on_down.
#include <arpa/inet.h>

#include <charconv>
#include <set>

#include "proto/limits.h"
#include "proto/manifest.h"
#include "proto/manifest_internal.h"

namespace proto {

using fleet::v1::AppManifest;
using fleet::v1::Interface;
using fleet::v1::PublishedPort;

namespace {

using namespace manifest_detail;

bool parse_number(std::string_view text, unsigned low, unsigned high, unsigned& out) {
  if (text.empty() || text.size() > 6) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= low && out <= high;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool colon = i % 3 == 2;
    const char c = text[i];
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (colon ? c != ':' : !digit) return false;
  }
  // A group address cannot be a source.
  return (text[1] - (text[1] >= 'a' ? 'a' - 10 : '0')) % 2 == 0;
}

bool is_bridge(std::string_view text) {
  if (text.empty() || text.size() > 15 || text == "." || text == "..") return false;
  return text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
         std::string_view::npos;
}

bool is_interface_name(std::string_view text) {
  if (text.empty() || text.size() > 15 || text[0] < 'a' || text[0] > 'z') return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") ==
         std::string_view::npos;
}

// ADDRESS[/N][:PORT]/PROTO
bool is_egress(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view protocol = text.substr(slash + 1);
  if (protocol != "udp" && protocol != "tcp") return false;
  std::string_view address = text.substr(0, slash);
  const std::size_t colon = address.rfind(':');
  unsigned port = 0;
  if (colon != std::string_view::npos) {
    if (!parse_number(address.substr(colon + 1), 1, 65535, port)) return false;
    address = address.substr(0, colon);
  }
  return is_ipv4(address) || is_ipv4_with_prefix(address);
}

Status check_egress(const Interface& interface, const std::string& field) {
  const auto& egress = interface.egress();
  if (egress.any() && egress.allow_size() != 0) {
    return broken(field + ".egress", "\"any\" stands alone; remove it or the rest");
  }
  if (egress.allow_size() > 64) return broken(field + ".egress", "more than 64 entries");
  for (int i = 0; i < egress.allow_size(); ++i) {
    if (is_egress(egress.allow(i))) continue;
    return broken(indexed(field + ".egress", i),
                  "\"" + egress.allow(i) +
                      "\" is no destination; write ADDRESS[/N][:PORT]/PROTO, like "
                      "192.0.2.53:53/udp, or any");
  }
  return Status();
}

Status check_addresses(const Interface& interface, const std::string& field) {
  const std::string& address = interface.address();
  const bool is_word = address == "auto" || address == "dhcp" || address == "none";
  if (!is_word && !is_ipv4_with_prefix(address) && !holds_variable(address)) {
    return broken(field + ".address", "\"" + address +
                                          "\" is no address; write auto, dhcp, none or "
                                          "A.B.C.D/N");
  }
  const std::string& gateway = interface.gateway();
  if (!gateway.empty() && !is_ipv4(gateway) && !holds_variable(gateway)) {
    return broken(field + ".gateway", "\"" + gateway + "\" is no IPv4 address");
  }
  if (interface.dns_size() > 3) return broken(field + ".dns", "more than 3 servers");
  for (int i = 0; i < interface.dns_size(); ++i) {
    if (is_ipv4(interface.dns(i)) || holds_variable(interface.dns(i))) continue;
    return broken(indexed(field + ".dns", i), "\"" + interface.dns(i) + "\" is no IPv4 address");
  }
  return Status();
}

bool is_of_host(const Interface& interface) {
  return interface.bridge() != "fleet0" && interface.bridge() != "user";
}

// What a network of its own gives or knows: fleet0 gives IPv4 addresses and nothing else.
Status check_own_network(const Interface& interface, const std::string& field) {
  if (interface.address() == "dhcp" && interface.bridge() == "fleet0") {
    return broken(field + ".address", "dhcp is for a bridge of the host; fleet0 gives the address "
                                      "itself: write auto");
  }
  if (interface.address() == "dhcp" && !interface.gateway().empty()) {
    return broken(field + ".gateway", "comes with the address from DHCP; remove it");
  }
  const std::string& address6 = interface.address6();
  const auto is_address = [](const std::string& text) {
    return is_ipv6(text) || holds_variable(text);
  };
  if (!interface.gateway6().empty() && (address6.empty() || !is_address(interface.gateway6()))) {
    return broken(field + ".gateway6", "is an IPv6 address, beside address6");
  }
  if (address6.empty()) return {};
  if (!address6.ends_with("/64") || !is_address(address6.substr(0, address6.size() - 3))) {
    return broken(field + ".address6", "\"" + address6 + "\" is no address of a /64; write it "
                                       "like 2001:db8::53/64");
  }
  if (is_of_host(interface)) return {};
  return broken(field + ".address6", "is for a bridge of the host; " + interface.bridge() +
                                         " has IPv4 alone");
}

Status check_interface(const Interface& interface, const std::string& field) {
  if (!interface.name().empty() && !is_interface_name(interface.name())) {
    return broken(field + ".name", "is 1 to 15 of a-z 0-9 _ -, and begins with a letter");
  }
  if (!is_bridge(interface.bridge())) {
    return broken(field + ".bridge", "is fleet0, user or the name of a bridge of the host");
  }
  TRY_VOID(check_range(field + ".vlan", interface.vlan(), 0, 4094));
  if (interface.mtu() != 0) TRY_VOID(check_range(field + ".mtu", interface.mtu(), 576, 9000));
  if (!interface.mac().empty() && !is_mac(interface.mac())) {
    return broken(field + ".mac",
                  "\"" + interface.mac() + "\" is no MAC; write it like 02:00:00:00:00:01");
  }
  if (interface.promiscuous() && interface.bridge() == "fleet0") {
    return broken(field + ".promiscuous", "is not for fleet0, where guests are kept apart");
  }
  TRY_VOID(check_addresses(interface, field));
  TRY_VOID(check_own_network(interface, field));
  return check_egress(interface, field);
}

// Ports without an address: each on a bridge of the host of its own, or its frames go in a circle.
Status check_forwarding(const AppManifest& manifest) {
  std::set<std::string> bridges;
  for (int i = 0; i < manifest.network_size(); ++i) {
    const Interface& interface = manifest.network(i);
    if (!is_frame_port(interface)) continue;
    const std::string field = indexed("network", i) + ".bridge";
    if (!bridges.insert(interface.bridge()).second) {
      return broken(field, interface.bridge() + " has another port without an address: a loop");
    }
    if (!is_of_host(interface) && manifest.on_down() == fleet::v1::BYPASS) {
      return broken(field, "is a bridge of the host with on_down: bypass");
    }
  }
  if (manifest.on_down() != fleet::v1::BYPASS || bridges.size() == 2) return Status();
  return broken("on_down", "bypass joins two ports without an address; there are " +
                               std::to_string(bridges.size()));
}

Status check_publish(const AppManifest& manifest) {
  if (manifest.publish_size() > static_cast<int>(kMaxPublishedPorts)) {
    return broken("publish", "more than 32 ports");
  }
  bool has_address = false;
  for (const Interface& interface : manifest.network()) {
    has_address = has_address || has_known_address(interface);
  }
  if (manifest.publish_size() != 0 && !has_address) {
    return broken("publish", "needs an interface whose address is known: auto or A.B.C.D/N");
  }
  std::set<std::string> seen;
  for (int i = 0; i < manifest.publish_size(); ++i) {
    const PublishedPort& port = manifest.publish(i);
    const std::string field = indexed("publish", i);
    TRY_VOID(check_range(field, port.host_port(), 1, 65535));
    TRY_VOID(check_range(field, port.guest_port(), 1, 65535));
    if (port.proto() != fleet::v1::UDP && port.proto() != fleet::v1::TCP) {
      return broken(field, "the protocol is udp or tcp");
    }
    if (!port.host_address().empty() && !is_ipv4(port.host_address())) {
      return broken(field, "\"" + port.host_address() + "\" is no IPv4 address");
    }
    const std::string key = port.host_address() + ":" + std::to_string(port.host_port()) + "/" +
                            std::to_string(port.proto());
    if (!seen.insert(key).second) {
      return broken(field, "port " + std::to_string(port.host_port()) + " is published twice");
    }
  }
  return Status();
}

}  // namespace

bool has_known_address(const Interface& interface) {
  return interface.address() != "none" && interface.address() != "dhcp";
}

bool is_frame_port(const Interface& interface) {
  return interface.address() == "none" && interface.address6().empty();
}

namespace manifest_detail {

Status check_network(const AppManifest& manifest) {
  if (manifest.network_size() > static_cast<int>(kMaxInterfaces)) {
    return broken("network", "more than 8 interfaces");
  }
  std::set<std::string> names;
  int without_address = 0;
  for (int i = 0; i < manifest.network_size(); ++i) {
    const Interface& interface = manifest.network(i);
    const std::string field = indexed("network", i);
    TRY_VOID(check_interface(interface, field));
    if (!interface.name().empty() && !names.insert(interface.name()).second) {
      return broken(field + ".name", "\"" + interface.name() + "\" is there twice");
    }
    if (is_frame_port(interface)) ++without_address;
  }
  const bool says_on_down = manifest.on_down() != fleet::v1::ON_DOWN_UNSPECIFIED;
  if (without_address >= 2 && !says_on_down) {
    return broken("on_down", "is required with two ports without an address; write drop or bypass");
  }
  if (says_on_down && without_address < 2) {
    return broken("on_down", "is for an app with two ports without an address");
  }
  if (says_on_down) TRY_VOID(check_forwarding(manifest));
  return check_publish(manifest);
}

}  // namespace manifest_detail

Result<PublishedPort> parse_published_port(std::string_view text) {
  PublishedPort port;
  const auto bad = [text] {
    return Error{Code::bad_manifest,
                 "\"" + std::string(text.substr(0, 60)) +
                     "\" is no port; write [HOST_ADDR:]HOST_PORT:GUEST_PORT/PROTO, like 53:53/udp",
                 ""};
  };
  const std::size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return bad();
  const std::string_view protocol = text.substr(slash + 1);
  if (protocol != "udp" && protocol != "tcp") return bad();
  port.set_proto(protocol == "udp" ? fleet::v1::UDP : fleet::v1::TCP);
  std::string_view ports = text.substr(0, slash);
  const std::size_t second = ports.rfind(':');
  if (second == std::string_view::npos) return bad();
  unsigned number = 0;
  if (!parse_number(ports.substr(second + 1), 1, 65535, number)) return bad();
  port.set_guest_port(number);
  ports = ports.substr(0, second);
  const std::size_t first = ports.rfind(':');
  if (first != std::string_view::npos) {
    if (!is_ipv4(ports.substr(0, first))) return bad();
    port.set_host_address(std::string(ports.substr(0, first)));
    ports = ports.substr(first + 1);
  }
  if (!parse_number(ports, 1, 65535, number)) return bad();
  port.set_host_port(number);
  return port;
}

std::string format_published_port(const PublishedPort& port) {
  const std::string address = port.host_address().empty() ? "" : port.host_address() + ":";
  return address + std::to_string(port.host_port()) + ":" + std::to_string(port.guest_port()) +
         (port.proto() == fleet::v1::UDP ? "/udp" : "/tcp");
}

}  // namespace proto
