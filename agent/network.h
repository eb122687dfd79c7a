// Addresses, MACs and published ports of one device, as values. Decides who gets what and refuses
// what is taken; the launcher does the work. Keeps nothing on disk: it is rebuilt from what runs
// and from the slots that are good.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/launcher_client.h"
#include "fleet/v1/app.pb.h"
#include "proto/result.h"

namespace agent {

/// Locally administered, the same for the same instance and interface.
MacAddress mac_for(const std::string& instance_id, std::uint32_t interface_index);

/// One `publish` line of a manifest.
struct PortMapping {
  Ipv4 host_address;                     // 0 = any
  Protocol protocol = Protocol::udp;
  std::uint16_t host_port = 0;
  std::uint16_t guest_port = 0;
};

/// "[HOST_ADDR:]HOST_PORT:GUEST_PORT/PROTO". Errors: bad_argument that shows the form.
proto::Result<PortMapping> parse_port_mapping(const std::string& text);
/// "A.B.C.D[/N][:port][/proto]", also "any". Errors: bad_argument that shows the form.
proto::Result<EgressRule> parse_egress(const std::string& text);

/// A socket of the host that listens.
struct HostSocket {
  Ipv4 address;                          // 0 = any
  Protocol protocol = Protocol::udp;
  std::uint16_t port = 0;
};
/// The content of /proc/net/{tcp,udp,tcp6,udp6}: listening TCP and bound UDP sockets. Lines that
/// it does not understand are skipped; IPv6 any counts as any, other IPv6 addresses are left out.
std::vector<HostSocket> parse_proc_net(const std::string& content, Protocol protocol, bool ipv6);
/// All sockets of this network namespace, read from /proc/net now. Errors: io.
proto::Result<std::vector<HostSocket>> host_sockets();

/// What stands against an app's ports.
struct PortHolders {
  std::map<std::string, std::vector<PortMapping>> apps;  // the other apps, by name
  std::vector<PortRange> denied;                         // launcher.conf
  std::vector<HostSocket> sockets;
};
/// Errors: port_taken, naming the port and who holds it; bad_argument for the same port twice.
proto::Status check_ports(const std::vector<PortMapping>& wanted, const PortHolders& holders);

/// The bridges that the app wants joined while no instance of it forwards (`on_down: bypass`).
std::optional<BridgePair> bypass_of(const fleet::v1::AppManifest& manifest);

/// Addresses of the managed subnet and what the launcher is to know of all apps: the published
/// list and the bypasses. One per agent; never blocks.
class Network {
 public:
  /// The gateway is the subnet's first address; guests get the ones behind it.
  explicit Network(const LauncherInfo& info);

  /// Marks what adopted instances already use. Call before the first allocate().
  void adopt(const std::vector<Instance>& running);
  /// The instance's address: the same one each time it asks, else the next free one, going round
  /// so that a freed address rests longest. Errors: no_space when all are in use.
  proto::Result<Ipv4> allocate(const std::string& instance_id);
  void release(const std::string& instance_id);

  std::uint8_t prefix() const { return subnet_.prefix; }
  Ipv4 gateway() const { return gateway_; }
  /// Of the managed bridge, bytes; 0 when the launcher does not know.
  std::uint16_t mtu() const { return mtu_; }

  /// Says which instance answers an app's ports: the good slot's. Replaces what the app had.
  void set_published(const std::string& app, std::vector<PortMapping> ports, Ipv4 guest);
  void clear_published(const std::string& app);
  /// The whole list for the launcher, in a stable order.
  std::vector<PublishedPort> published() const;
  /// What joins the app's bridges while it does not; none: nothing does.
  void set_bypass(const std::string& app, std::optional<BridgePair> bridges);
  /// The whole list for the launcher, in order, each once.
  std::vector<BridgePair> bypasses() const;
  /// Who publishes what, without `except`: for PortHolders::apps.
  std::map<std::string, std::vector<PortMapping>> mappings_without(const std::string& except) const;

 private:
  struct AppPorts {
    std::vector<PortMapping> ports;
    Ipv4 guest;
  };
  Subnet subnet_;
  Ipv4 gateway_;
  std::uint16_t mtu_;
  Ipv4 next_;
  std::map<std::string, Ipv4> addresses_;      // by instance id
  std::map<std::string, AppPorts> published_;  // by app
  std::map<std::string, BridgePair> bypasses_;  // by app
};

/// UDP flows that a change from `before` to `after` leaves on an old instance, or without any.
std::vector<Flow> stale_flows(const std::vector<PublishedPort>& before,
                              const std::vector<PublishedPort>& after);

/// The switch of DESIGN 5: publishes the list, then flushes the UDP flows that led elsewhere.
/// `before` is what was published last (empty after a restart of the launcher). New flows go to
/// the new instance from the moment that publish returned; if the flush fails, clients with a
/// fixed source port stay on the old instance: call again. Errors: as Launcher::publish.
proto::Status switch_ports(Launcher& launcher, const std::vector<PublishedPort>& before,
                           const std::vector<PublishedPort>& after);

}  // namespace agent
