// launcher.conf against well-formed requests.
#include "agent/launcher/policy.h"

#include "agent/launcher/bypasses.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace launcher {
namespace {

using proto::Code;

std::unique_ptr<StartRequest> request(const char* bridge, std::uint32_t address) {
  auto start = std::make_unique<StartRequest>();
  start->memory_max_mib = 64;
  start->interface_count = 1;
  const std::uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1};
  std::memcpy(start->interfaces[0].mac, mac, sizeof mac);
  start->interfaces[0].address = address;
  set_field(start->interfaces[0].bridge, bridge);
  return start;
}

Code verdict(const Conf& conf, const StartRequest& start, const Held& held = {}) {
  const proto::Status status = may_start(conf, start, held);
  return status ? Code::unset : status.error().code;
}

TEST(Policy, AGuestAddressMustBeOneOfTheSubnetAndFree) {
  const Conf conf;
  EXPECT_EQ(verdict(conf, *request("fleet0", 0x0ad54d02)), Code::unset);
  EXPECT_EQ(verdict(conf, *request("fleet0", 0x0ad54d01)), Code::bad_argument) << "gateway";
  EXPECT_EQ(verdict(conf, *request("fleet0", 0x0ad54dff)), Code::bad_argument) << "broadcast";
  EXPECT_EQ(verdict(conf, *request("fleet0", 0x0ad54d00)), Code::bad_argument) << "network";
  EXPECT_EQ(verdict(conf, *request("fleet0", 0x0ad54e02)), Code::bad_argument) << "outside";
  EXPECT_EQ(verdict(conf, *request("fleet0", 0)), Code::bad_argument) << "none";
  const auto start = request("fleet0", 0x0ad54d02);
  EXPECT_EQ(verdict(conf, *start, {{Ipv4{0x0ad54d02}}, {}, {}}), Code::conflict);
  EXPECT_EQ(verdict(conf, *start, {{}, {}, {mac_of(start->interfaces[0])}}), Code::conflict);
}

TEST(Policy, ASerialLineIsLentByTheConfAndToOneGuest) {
  Conf conf;
  auto start = request("fleet0", 0x0ad54d02);
  start->serial_count = 1;
  EXPECT_EQ(verdict(conf, *start), Code::unset) << "nothing is attached";
  set_field(start->serials[0].path, "/dev/ttyUSB0");
  EXPECT_EQ(verdict(conf, *start), Code::forbidden);
  conf.serial_lines = {{"/dev/ttyUSB0", 9600}};
  EXPECT_EQ(verdict(conf, *start), Code::unset);
  EXPECT_EQ(verdict(conf, *start, {{}, {}, {}, {"/dev/ttyUSB0"}}), Code::conflict);
  start->serial_count = 2;
  start->serials[1] = start->serials[0];
  EXPECT_EQ(verdict(conf, *start), Code::conflict) << "twice in one guest";
}

TEST(Policy, TwoInterfacesOfOneGuestMayNotShareAnAddress) {
  auto start = request("fleet0", 0x0ad54d02);
  start->interface_count = 2;
  start->interfaces[1] = start->interfaces[0];
  EXPECT_EQ(verdict(Conf{}, *start), Code::conflict);
}

TEST(Policy, OnlyNamedHostBridgesAreJoined) {
  Conf conf;
  EXPECT_EQ(verdict(conf, *request("br-lan", 0)), Code::forbidden);
  conf.host_bridges = {"br-lan"};
  auto start = request("br-lan", 0);
  start->interfaces[0].promiscuous = 1;
  EXPECT_EQ(verdict(conf, *start), Code::unset);
  start = request("fleet0", 0x0ad54d02);
  start->interfaces[0].promiscuous = 1;
  EXPECT_EQ(verdict(conf, *start), Code::forbidden);
}

TEST(Policy, DhcpAndIpv6AreForBridgesOfTheHost) {
  Conf conf;
  conf.host_bridges = {"br-lan"};
  auto start = request("br-lan", 0);
  start->interfaces[0].dhcp = 1;
  start->interfaces[0].address6[0] = 0x20;
  const Ipv6 address6 = address6_of(start->interfaces[0]);
  EXPECT_EQ(verdict(conf, *start), Code::unset);
  EXPECT_EQ(verdict(conf, *start, {{}, {address6}, {}, {}}), Code::conflict);
  start = request("fleet0", 0x0ad54d02);
  start->interfaces[0].address6[0] = 0x20;
  EXPECT_EQ(verdict(conf, *start), Code::forbidden);
}

TEST(Policy, OnlyBridgesThatTheConfPairsAreBypassed) {
  Conf conf;
  EXPECT_TRUE(may_bypass(conf, {}));
  const auto refused = may_bypass(conf, {bridge_pair("br-wan", "br-lan")});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::forbidden);
  EXPECT_NE(refused.error().what.find("bypasses = br-lan:br-wan"), std::string::npos);
  conf.bypasses = {bridge_pair("br-lan", "br-wan")};
  EXPECT_TRUE(may_bypass(conf, {bridge_pair("br-wan", "br-lan")}));
  EXPECT_FALSE(may_bypass(conf, {bridge_pair("br-wan", "br-dmz")}));
}

TEST(Policy, ACableIsKnownByItsNameAlone) {
  EXPECT_TRUE(is_cable_name("fltb0-0", "flt"));
  EXPECT_TRUE(is_cable_name("fltb15-1", "flt"));
  for (const char* other : {"flt0-0", "fltb-0", "fltb0-2", "fltbx-0", "fltb0", "abcb0-0", ""}) {
    EXPECT_FALSE(is_cable_name(other, "flt")) << other;
  }
}

TEST(Policy, MemoryCpuAndKvmAreBounded) {
  Conf conf;
  conf.memory_max_mib = 63;
  const auto start = request("fleet0", 0x0ad54d02);
  EXPECT_EQ(verdict(conf, *start), Code::no_memory);
  conf.memory_max_mib = 64;
  conf.cpu_percent_max = 50;
  EXPECT_EQ(verdict(conf, *start), Code::forbidden) << "no limit asked where one is set";
  start->cpu_percent = 50;
  EXPECT_EQ(verdict(conf, *start), Code::unset);
  conf.allow_kvm = false;
  start->flags = kFlagKvm;
  EXPECT_EQ(verdict(conf, *start), Code::forbidden);
}

TEST(Policy, DeniedAndDoublePortsAreRefused) {
  const Conf conf;
  EXPECT_TRUE(may_publish(conf, {{0, 0x0ad54d02, 53, 53, 17, {}}, {0, 0x0ad54d02, 53, 53, 6, {}}}));
  EXPECT_EQ(may_publish(conf, {{0, 0x0ad54d02, 22, 22, 6, {}}}).error().code, Code::port_taken);
  EXPECT_EQ(may_publish(conf, {{0, 0x0ad54d02, 53, 53, 17, {}}, {0, 0x0ad54d03, 53, 53, 17, {}}})
                .error()
                .code,
            Code::bad_argument);
  EXPECT_EQ(may_publish(conf, {{0, 0x01010101, 53, 53, 17, {}}}).error().code,
            Code::bad_argument);
}

}  // namespace
}  // namespace launcher
