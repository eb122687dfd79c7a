// Addresses, ports and who holds them.
#include "agent/network.h"

#include <gtest/gtest.h>

#include <set>

namespace agent {
namespace {

using proto::Code;

LauncherInfo info(std::uint8_t prefix) {
  LauncherInfo info;
  info.subnet = {Ipv4{0x0ad54d00}, prefix};
  info.gateway = Ipv4{0x0ad54d01};
  return info;
}

TEST(Network, AnInstanceKeepsItsAddressAndAFreedOneRestsLongest) {
  Network network(info(29));  // .2 to .6
  EXPECT_EQ(to_string(*network.allocate("a")), "10.213.77.2");
  EXPECT_EQ(to_string(*network.allocate("b")), "10.213.77.3");
  EXPECT_EQ(to_string(*network.allocate("a")), "10.213.77.2");
  network.release("a");
  EXPECT_EQ(to_string(*network.allocate("c")), "10.213.77.4");
  EXPECT_EQ(to_string(*network.allocate("d")), "10.213.77.5");
  EXPECT_EQ(to_string(*network.allocate("e")), "10.213.77.6");
  EXPECT_EQ(to_string(*network.allocate("f")), "10.213.77.2");
  EXPECT_EQ(network.allocate("g").error().code, Code::no_space);
}

TEST(Network, AdoptedInstancesKeepTheirs) {
  Network network(info(24));
  Instance running;
  running.id = "old";
  running.interfaces.push_back({{}, Ipv4{0x0ad54d05}, "fleet0", false});
  network.adopt({running});
  EXPECT_EQ(to_string(*network.allocate("old")), "10.213.77.5");
  EXPECT_EQ(to_string(*network.allocate("new")), "10.213.77.6");
}

TEST(Network, MacsAreLocalStableAndDifferent) {
  const MacAddress one = mac_for("abcdefghijklmnop", 0);
  EXPECT_EQ(one, mac_for("abcdefghijklmnop", 0));
  EXPECT_NE(one, mac_for("abcdefghijklmnop", 1));
  EXPECT_NE(one, mac_for("abcdefghijklmnoq", 0));
  EXPECT_TRUE(launcher::is_local_unicast(one));
}

TEST(Network, ThePublishedListFollowsTheGoodSlots) {
  Network network(info(24));
  const PortMapping dns{{}, Protocol::udp, 53, 53};
  const PortMapping web{{}, Protocol::tcp, 80, 8080};
  network.set_published("web", {web}, Ipv4{3});
  network.set_published("dns", {dns}, Ipv4{2});
  const std::vector<PublishedPort> before = network.published();
  ASSERT_EQ(before.size(), 2u);
  network.set_published("dns", {dns}, Ipv4{4});
  const std::vector<PublishedPort> after = network.published();
  const std::vector<Flow> flows = stale_flows(before, after);
  ASSERT_EQ(flows.size(), 1u) << "TCP drains, and what did not move is left";
  EXPECT_EQ(flows[0].guest_address, Ipv4{2});
  EXPECT_EQ(flows[0].host_port, 53);
  const std::vector<Flow> early = stale_flows({}, after);
  ASSERT_EQ(early.size(), 1u) << "of clients that asked before";
  EXPECT_EQ(early[0].guest_address, Ipv4{});
  network.clear_published("dns");
  EXPECT_EQ(network.published().size(), 1u);
  EXPECT_EQ(network.mappings_without("web").size(), 0u);
}

TEST(Ports, MappingsHaveOneForm) {
  const auto plain = parse_port_mapping("53:5353/udp");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->host_port, 53);
  EXPECT_EQ(plain->guest_port, 5353);
  const auto bound = parse_port_mapping("192.0.2.1:80:8080/tcp");
  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(to_string(bound->host_address), "192.0.2.1");
  for (const char* bad : {"53", "53/udp", "53:53", "53:53/icmp", "0:53/udp", "65536:53/udp",
                          "a:53/udp", "1.2.3:53:53/udp", "53:53/udp ", ":53:53/udp", "",
                          "-1:53/udp", "+53:53/udp"}) {
    EXPECT_FALSE(parse_port_mapping(bad).has_value()) << bad;
  }
}

TEST(Ports, EgressHasItsForms) {
  const auto rule = parse_egress("192.0.2.53:53/udp");
  ASSERT_TRUE(rule.has_value());
  EXPECT_EQ(to_string(rule->destination), "192.0.2.53/32");
  EXPECT_EQ(rule->port, 53);
  EXPECT_EQ(rule->protocol, Protocol::udp);
  EXPECT_EQ(to_string(parse_egress("10.0.0.0/8")->destination), "10.0.0.0/8");
  EXPECT_EQ(parse_egress("10.0.0.0/8:443/tcp")->port, 443);
  EXPECT_EQ(parse_egress("any")->destination.prefix, 0);
  EXPECT_EQ(parse_egress("192.0.2.1/icmp")->protocol, Protocol::icmp);
  for (const char* bad : {"", "10.0.0.1/8", "10.0.0.0/33", "192.0.2.1:0/udp", "192.0.2.1:53/icmp",
                          "host:53/udp", "192.0.2.1:53:53/udp"}) {
    EXPECT_FALSE(parse_egress(bad).has_value()) << bad;
  }
}

const char kProcUdp[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    "  100: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101\n"
    "  101: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n"
    "  102: 00000000:1111 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0\n"
    "garbage\n  103: zz:zz\n";

TEST(Ports, TheKernelsTablesAreRead) {
  const auto sockets = parse_proc_net(kProcUdp, Protocol::udp, false);
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(to_string(sockets[0].address), "127.0.0.53");
  EXPECT_EQ(sockets[0].port, 53);
  EXPECT_EQ(sockets[1].port, 68);
  const auto six = parse_proc_net(
      "  0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A\n"
      "  1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A\n",
      Protocol::tcp, true);
  ASSERT_EQ(six.size(), 1u);
  EXPECT_EQ(six[0].port, 80);
}

TEST(Ports, ATakenPortNamesWhoHoldsIt) {
  const std::vector<PortMapping> wanted = {{{}, Protocol::udp, 53, 53}};
  PortHolders holders;
  EXPECT_TRUE(check_ports(wanted, holders).has_value());
  holders.apps["cache"] = {{{}, Protocol::udp, 53, 5300}};
  auto status = check_ports(wanted, holders);
  EXPECT_EQ(status.error().code, Code::port_taken);
  EXPECT_NE(status.error().what.find("53/udp is taken by app cache"), std::string::npos);
  holders.apps["cache"] = {{{}, Protocol::tcp, 53, 5300}};
  EXPECT_TRUE(check_ports(wanted, holders).has_value()) << "another protocol";
  holders.sockets = {{Ipv4{0x7f000035}, Protocol::udp, 53}};
  status = check_ports(wanted, holders);
  EXPECT_NE(status.error().what.find("127.0.0.53"), std::string::npos);
  EXPECT_TRUE(check_ports({{Ipv4{0xc0000201}, Protocol::udp, 53, 53}}, holders).has_value())
      << "another address";
  holders.sockets.clear();
  holders.denied = {{1, 1023}};
  EXPECT_NE(check_ports(wanted, holders).error().what.find("launcher.conf"), std::string::npos);
  EXPECT_EQ(check_ports({wanted[0], wanted[0]}, {}).error().code, Code::bad_argument);
}

}  // namespace
}  // namespace agent
