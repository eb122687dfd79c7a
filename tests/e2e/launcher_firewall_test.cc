// The firewall and the bridge seen from a hostile guest: this test holds the taps itself and sends
// what no kernel of a guest would.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "agent/launcher/links.h"
#include "agent/launcher/nft.h"
#include "agent/launcher/nft_rules.h"
#include "agent/launcher/system.h"
#include "tests/e2e/launcher_world.h"

namespace e2e {
namespace {

using launcher::Fd;
using launcher::Ipv4;
using launcher::MacAddress;

constexpr std::size_t kVnetHeaderBytes = 10;
constexpr Ipv4 kGateway{0x0ad54d01};
constexpr Ipv4 kAddressA{0x0ad54d02};
constexpr Ipv4 kAddressB{0x0ad54d03};
constexpr Ipv4 kDevice{0x0a090001};
constexpr Ipv4 kClient{0x0a090002};
constexpr MacAddress kMacA{{0x52, 0x54, 0, 0, 0, 0xa}};
constexpr MacAddress kMacB{{0x52, 0x54, 0, 0, 0, 0xb}};
constexpr MacAddress kBroadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}
void put32(std::string& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}
void put_mac(std::string& out, const MacAddress& mac) {
  out.append(reinterpret_cast<const char*>(mac.bytes.data()), mac.bytes.size());
}

std::string arp_request(const MacAddress& mac, Ipv4 from, Ipv4 to) {
  std::string frame;
  put_mac(frame, kBroadcast);
  put_mac(frame, mac);
  put16(frame, ETHERTYPE_ARP);
  put16(frame, 1);
  put16(frame, ETHERTYPE_IP);
  frame += "\x06\x04";
  put16(frame, ARPOP_REQUEST);
  put_mac(frame, mac);
  put32(frame, from.value);
  put_mac(frame, MacAddress{});
  put32(frame, to.value);
  return frame;
}

struct Datagram {
  MacAddress from_mac;
  MacAddress to_mac;
  Ipv4 from;
  Ipv4 to;
  std::uint16_t from_port;
  std::uint16_t to_port;
};

std::string udp_frame(const Datagram& datagram) {
  std::string ip = {0x45, 0};
  put16(ip, 32);
  put32(ip, 0x00004000);
  ip += "\x40\x11";
  put16(ip, 0);
  put32(ip, datagram.from.value);
  put32(ip, datagram.to.value);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < ip.size(); i += 2) {
    sum += static_cast<std::uint32_t>(static_cast<unsigned char>(ip[i]) << 8 |
                                      static_cast<unsigned char>(ip[i + 1]));
  }
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16)) & 0xffff;
  ip[10] = static_cast<char>(sum >> 8);
  ip[11] = static_cast<char>(sum & 0xff);
  std::string frame;
  put_mac(frame, datagram.to_mac);
  put_mac(frame, datagram.from_mac);
  put16(frame, ETHERTYPE_IP);
  frame += ip;
  put16(frame, datagram.from_port);
  put16(frame, datagram.to_port);
  put16(frame, 12);
  put16(frame, 0);  // no checksum: IPv4 allows it
  return frame + "evil";
}

void send_frame(const Fd& tap, const std::string& frame) {
  const std::string bytes = std::string(kVnetHeaderBytes, '\0') + frame;
  FLEET_ASSERT(::write(tap.get(), bytes.data(), bytes.size()) ==
               static_cast<ssize_t>(bytes.size()));
}

/// The next frame of a type that is for a guest (the bridge's own multicast is not), or "" after
/// the wait.
std::string read_frame(const Fd& tap, std::uint16_t type, int wait_ms) {
  pollfd ready{tap.get(), POLLIN, 0};
  while (::poll(&ready, 1, wait_ms) == 1) {
    char buffer[2048];
    const ssize_t got = ::read(tap.get(), buffer, sizeof buffer);
    if (got < static_cast<ssize_t>(kVnetHeaderBytes + 14)) continue;
    const std::string frame(buffer + kVnetHeaderBytes,
                            static_cast<std::size_t>(got) - kVnetHeaderBytes);
    const auto found = static_cast<std::uint16_t>(static_cast<unsigned char>(frame[12]) << 8 |
                                                  static_cast<unsigned char>(frame[13]));
    const bool ip_multicast = frame[0] == 1 && frame[1] == 0;
    if (found == type && !ip_multicast) return frame;
  }
  return "";
}

/// The sender's port of the next datagram on a socket, or 0 after the wait.
std::uint16_t received_from(const agent::Fd& socket, int wait_ms) {
  pollfd ready{socket.get(), POLLIN, 0};
  if (::poll(&ready, 1, wait_ms) != 1) return 0;
  sockaddr_in from{};
  socklen_t size = sizeof from;
  char buffer[64];
  ::recvfrom(socket.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
  EXPECT_EQ(ntohl(from.sin_addr.s_addr), kDevice.value) << "not masqueraded";
  return ntohs(from.sin_port);
}

class Firewall : public ::testing::Test {
 protected:
  // Before the members are made: their netlink sockets stay where they were opened.
  static void SetUpTestSuite() { enter_namespaces(); }
  void SetUp() override {
    ASSERT_TRUE(links_.open().has_value());
    ASSERT_TRUE(nft_.run(launcher::base_rules(conf_, true)).has_value());
    ASSERT_TRUE(links_.make_bridge({conf_.bridge, kGateway, 24, bridge_mac_}).has_value());
    ASSERT_TRUE(launcher::write_small_file("/proc/sys/net/ipv4/ip_forward", "1").has_value());
    add_guest(0, kMacA, kAddressA, tap_a_);
    add_guest(1, kMacB, kAddressB, tap_b_);
  }
  void TearDown() override {
    tap_a_.reset();
    tap_b_.reset();
    EXPECT_TRUE(nft_.run(launcher::no_rules()).has_value());
    EXPECT_TRUE(links_.remove(conf_.bridge).has_value());
    EXPECT_TRUE(launcher::write_small_file("/proc/sys/net/ipv4/ip_forward", "0").has_value());
  }

  void add_guest(std::uint32_t slot, const MacAddress& mac, Ipv4 address, Fd& tap) {
    const std::string name = "flt" + std::to_string(slot) + "-0";
    auto made = links_.make_tap({name, conf_.bridge, true, true});
    ASSERT_TRUE(made.has_value()) << made.error().what;
    tap = std::move(*made);
    launcher::GuestRules rules;
    rules.slot = slot;
    rules.ports.push_back({name, mac, address, {}});
    rules.egress_any = egress_any_;
    if (!egress_any_) rules.egress.push_back({kClient.value, 7000, 32, 17});
    const auto loaded = nft_.run(launcher::add_guest_rules(rules));
    ASSERT_TRUE(loaded.has_value()) << loaded.error().what;
  }
  void set_egress_list() {
    const launcher::GuestRules old{0, {{"flt0-0", kMacA, kAddressA, {}}}, true, {}};
    ASSERT_TRUE(nft_.run(launcher::remove_guest_rules(old)).has_value());
    launcher::GuestRules rules = old;
    rules.egress_any = false;
    rules.egress.push_back({kClient.value, 7000, 32, 17});
    ASSERT_TRUE(nft_.run(launcher::add_guest_rules(rules)).has_value());
  }
  Datagram from_a(Ipv4 to, std::uint16_t port) const {
    return {kMacA, bridge_mac_, kAddressA, to, 53, port};
  }

  launcher::Conf conf_;
  launcher::Links links_;
  launcher::Nft nft_;
  MacAddress bridge_mac_{{0x02, 0, 0, 0, 0, 1}};
  bool egress_any_ = true;
  Fd tap_a_;
  Fd tap_b_;
};

TEST_F(Firewall, AGuestFindsItsGatewayButNoOtherGuest) {
  // The kernel lets a new port forward within a second of its carrier; guests ask again too.
  std::string found;
  for (int tries = 0; tries < 150 && found.empty(); ++tries) {
    send_frame(tap_a_, arp_request(kMacA, kAddressA, kGateway));
    found = read_frame(tap_a_, ETHERTYPE_ARP, 10);
  }
  EXPECT_NE(found, "");
  while (!read_frame(tap_b_, ETHERTYPE_ARP, 50).empty()) {
  }
  send_frame(tap_a_, arp_request(kMacA, kAddressA, kAddressB));
  EXPECT_EQ(read_frame(tap_b_, ETHERTYPE_ARP, 300), "") << "A's broadcast reached B";
  Datagram direct = from_a(kAddressB, 53);
  direct.to_mac = kMacB;
  send_frame(tap_a_, udp_frame(direct));
  EXPECT_EQ(read_frame(tap_b_, ETHERTYPE_IP, 300), "") << "A reached B over the bridge";
  send_frame(tap_a_, udp_frame(from_a(kAddressB, 53)));
  EXPECT_EQ(read_frame(tap_b_, ETHERTYPE_IP, 300), "") << "A reached B through the host";
}

TEST_F(Firewall, ASpoofedSourceGetsNoAnswer) {
  send_frame(tap_a_, arp_request(kMacB, kAddressA, kGateway));
  send_frame(tap_a_, arp_request(kMacA, kAddressB, kGateway));
  EXPECT_EQ(read_frame(tap_a_, ETHERTYPE_ARP, 300), "");
  const agent::Fd client = client_socket(7000);
  Datagram spoofed = from_a(kClient, 7000);
  spoofed.from = kAddressB;
  send_frame(tap_a_, udp_frame(spoofed));
  spoofed = from_a(kClient, 7000);
  spoofed.from_mac = kMacB;
  send_frame(tap_a_, udp_frame(spoofed));
  EXPECT_EQ(received_from(client, 300), 0);
  std::string ipv6 = udp_frame(from_a(kClient, 7000));
  ipv6.replace(12, 2, "\x86\xdd");
  send_frame(tap_a_, ipv6);
  EXPECT_EQ(read_frame(tap_b_, ETHERTYPE_IPV6, 200), "");
}

TEST_F(Firewall, AGuestReachesTheWorldButNotTheHost) {
  const agent::Fd client = client_socket(7000);
  send_frame(tap_a_, udp_frame(from_a(kClient, 7000)));
  const std::uint16_t port = received_from(client, 2000);
  EXPECT_GE(port, 32768) << "a low source port could pass for the answer of a published one";
  const agent::Fd host(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(7100);
  ASSERT_EQ(::bind(host.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
  send_frame(tap_a_, udp_frame(from_a(kGateway, 7100)));
  send_frame(tap_a_, udp_frame(from_a(kDevice, 7100)));
  EXPECT_EQ(received_from(host, 300), 0) << "the guest reached a socket of the host";
}

TEST_F(Firewall, EgressLetsOutWhatIsListedAlone) {
  set_egress_list();
  const agent::Fd listed = client_socket(7000);
  const agent::Fd other = client_socket(7001);
  send_frame(tap_a_, udp_frame(from_a(kClient, 7001)));
  EXPECT_EQ(received_from(other, 300), 0);
  send_frame(tap_a_, udp_frame(from_a(kClient, 7000)));
  EXPECT_NE(received_from(listed, 2000), 0);
}

TEST_F(Firewall, APublishedPortOfOneGuestIsNoWayToAnother) {
  ASSERT_TRUE(nft_.run(launcher::publish_rules({{0, kAddressB.value, 53, 53, 17, {}}})));
  send_frame(tap_a_, udp_frame(from_a(kDevice, 53)));
  EXPECT_EQ(read_frame(tap_b_, ETHERTYPE_IP, 300), "");
}

TEST_F(Firewall, ASubnetThatTheHostRoutesElsewhereIsSeen) {
  const auto other = links_.route_into({Ipv4{0x0a090000}, 16}, conf_.bridge);
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(*other, "wan");
  const auto own = links_.route_into(conf_.subnet, conf_.bridge);
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(*own, "");
}

}  // namespace
}  // namespace e2e
