// launcher.conf against a request.
#include "agent/launcher/policy.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace launcher {
namespace {

using proto::Code;
using proto::Error;
using proto::Status;

template <typename T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

Status check_managed_address(const Conf& conf, Ipv4 address) {
  const std::uint32_t host_bits = address.value & ~conf.subnet.mask();
  const bool usable = conf.subnet.contains(address) && address != conf.gateway() &&
                      host_bits != 0 && host_bits != ~conf.subnet.mask();
  if (usable) return {};
  return Error{Code::bad_argument,
               "launcher: " + to_string(address) + " is no guest address of " + conf.bridge + " (" +
                   to_string(conf.subnet) + ", the host has " + to_string(conf.gateway()) + ")",
               ""};
}

Status check_interface(const Conf& conf, const WireInterface& wire, const Held& held) {
  const std::string bridge(field_text(wire.bridge));
  const bool managed = bridge == conf.bridge;
  if (!managed && !contains(conf.host_bridges, bridge)) {
    return Error{Code::forbidden,
                 "launcher: bridge " + bridge + " is not in host_bridges of launcher.conf", ""};
  }
  if (managed && wire.promiscuous != 0) {
    return Error{Code::forbidden, "launcher: no promiscuous port on " + conf.bridge, ""};
  }
  if (managed && (wire.dhcp != 0 || !address6_of(wire).is_none())) {
    return Error{Code::forbidden,
                 "launcher: " + conf.bridge + " gives its guests IPv4 addresses itself; dhcp and "
                 "address6 are for host_bridges",
                 ""};
  }
  if (managed) TRY_VOID(check_managed_address(conf, Ipv4{wire.address}));
  if (wire.address != 0 && contains(held.addresses, Ipv4{wire.address})) {
    return Error{Code::conflict,
                 "launcher: " + to_string(Ipv4{wire.address}) + " is another instance's", ""};
  }
  if (contains(held.addresses6, address6_of(wire))) {
    return Error{Code::conflict,
                 "launcher: " + to_string(address6_of(wire)) + " is another instance's", ""};
  }
  if (contains(held.macs, mac_of(wire))) {
    return Error{Code::conflict, "launcher: " + to_string(mac_of(wire)) + " is another instance's",
                 ""};
  }
  return {};
}

Status check_serial(const Conf& conf, const std::string& path, const Held& held) {
  if (path.empty()) return {};
  const bool lent = std::any_of(conf.serial_lines.begin(), conf.serial_lines.end(),
                                [&path](const SerialPort& port) { return port.path == path; });
  if (!lent) {
    return Error{Code::forbidden,
                 "launcher: " + path + " is not in serial_lines of launcher.conf", ""};
  }
  if (!contains(held.serial_lines, path)) return {};
  return Error{Code::conflict, "launcher: " + path + " is another instance's", ""};
}

}  // namespace

MacAddress mac_of(const WireInterface& wire) {
  MacAddress mac;
  std::copy(std::begin(wire.mac), std::end(wire.mac), mac.bytes.begin());
  return mac;
}

void hold_interface(const WireInterface& wire, Held& held) {
  if (wire.address != 0) held.addresses.push_back(Ipv4{wire.address});
  if (const Ipv6 address6 = address6_of(wire); !address6.is_none()) {
    held.addresses6.push_back(address6);
  }
  held.macs.push_back(mac_of(wire));
}

Status may_start(const Conf& conf, const StartRequest& request, const Held& held) {
  if (request.memory_max_mib > conf.memory_max_mib) {
    return Error{Code::no_memory,
                 "launcher: " + std::to_string(request.memory_max_mib) + " MiB asked, " +
                     std::to_string(conf.memory_max_mib) +
                     " allowed; raise memory_max_mib in launcher.conf",
                 ""};
  }
  if (conf.cpu_percent_max != 0 &&
      (request.cpu_percent == 0 || request.cpu_percent > conf.cpu_percent_max)) {
    return Error{Code::forbidden,
                 "launcher: cpu_percent_max in launcher.conf is " +
                     std::to_string(conf.cpu_percent_max),
                 ""};
  }
  if ((request.flags & kFlagKvm) != 0 && !conf.allow_kvm) {
    return Error{Code::forbidden, "launcher: allow_kvm is no in launcher.conf", ""};
  }
  Held all = held;
  for (std::size_t i = 0; i < request.interface_count; ++i) {
    const WireInterface& wire = request.interfaces[i];
    TRY_VOID(check_interface(conf, wire, all));
    hold_interface(wire, all);
  }
  for (std::size_t i = 0; i < request.serial_count; ++i) {
    const std::string path(field_text(request.serials[i].path));
    TRY_VOID(check_serial(conf, path, all));
    all.serial_lines.push_back(path);
  }
  return {};
}

Status may_publish(const Conf& conf, const std::vector<WirePort>& ports) {
  std::set<std::tuple<std::uint32_t, std::uint8_t, std::uint16_t>> seen;
  for (const WirePort& port : ports) {
    const std::string name = std::to_string(port.host_port) + "/" +
                             std::string(to_string(static_cast<Protocol>(port.protocol)));
    if (!conf.may_publish(port.host_port)) {
      return Error{Code::port_taken,
                   "launcher: port " + name + " is refused by launcher.conf (allowed_ports, "
                   "denied_ports)",
                   ""};
    }
    TRY_VOID(check_managed_address(conf, Ipv4{port.guest_address}));
    if (!seen.insert({port.host_address, port.protocol, port.host_port}).second) {
      return Error{Code::bad_argument, "launcher: port " + name + " is listed twice", ""};
    }
  }
  return {};
}

Status may_bypass(const Conf& conf, const std::vector<BridgePair>& wanted) {
  for (const BridgePair& pair : wanted) {
    if (contains(conf.bypasses, pair)) continue;
    return Error{Code::forbidden,
                 "launcher: " + to_string(pair) + " may not be joined; launcher.conf allows it by "
                 "bypasses = " + pair.first + ":" + pair.second,
                 ""};
  }
  return {};
}

}  // namespace launcher
