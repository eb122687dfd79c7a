// The firewall's text.
#include "agent/launcher/nft_rules.h"

#include <gtest/gtest.h>

namespace launcher {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

GuestRules guest() {
  GuestRules rules;
  rules.slot = 7;
  rules.ports.push_back(
      {"flt7-0", MacAddress{{0x52, 0x54, 0, 0, 0, 1}}, Ipv4{0x0ad54d02}, {}, true, true});
  return rules;
}

TEST(NftRules, TheBaseNamesBridgeAndSubnetOfTheConf) {
  Conf conf;
  conf.bridge = "br9";
  conf.subnet = {Ipv4{0x0a010000}, 24};
  const std::string text = base_rules(conf, true);
  EXPECT_TRUE(has(text, "ip saddr 10.1.0.0/24 oifname != \"br9\" masquerade"));
  EXPECT_TRUE(has(text, "iifname \"br9\" oifname \"br9\" drop"));
  EXPECT_FALSE(has(text, "fleet0"));
  EXPECT_EQ(text.rfind("add table inet fleet\ndelete table inet fleet\n", 0), 0u);
}

TEST(NftRules, WhatWasNoRouterRoutesNothingBetweenItsBridges) {
  Conf conf;
  conf.host_bridges = {"br-lan", "br-wan"};
  EXPECT_FALSE(has(base_rules(conf, true), "br-lan"));
  const std::string text = base_rules(conf, false);
  EXPECT_TRUE(has(text, "iifname \"br-lan\" oifname != { \"br-lan\", \"fleet0\" } drop"));
  EXPECT_TRUE(has(text, "oifname \"br-wan\" iifname != { \"br-wan\", \"fleet0\" } drop"));
}

TEST(NftRules, AGuestIsHeldToItsMacAndAddress) {
  const std::string text = add_guest_rules(guest());
  EXPECT_TRUE(has(text, "source_7_0 ether saddr != 52:54:00:00:00:01 drop"));
  EXPECT_TRUE(has(text, "ip saddr 10.213.77.2 accept"));
  EXPECT_TRUE(has(text, "@nh,64,48 0x525400000001"));
  EXPECT_TRUE(has(text, "egress_7 accept"));
  EXPECT_TRUE(has(text, "guests { 10.213.77.2 : jump egress_7 }"));
}

TEST(NftRules, AGuestIsHeldToItsIpv6Addresses) {
  GuestRules rules = guest();
  EXPECT_FALSE(has(add_guest_rules(rules), "ip6 saddr"));
  rules.ports.front().address6 = *parse_ipv6("2001:db8::53");
  const std::string text = add_guest_rules(rules);
  EXPECT_TRUE(has(text, "ip6 saddr { ::, 2001:db8::53, fe80::5054:ff:fe00:1 } accept"));
  EXPECT_TRUE(has(text, "nd-neighbor-advert ip6 saddr 2001:db8::53 @th,64,128 "
                        "0x20010db8000000000000000000000053 accept"));
  EXPECT_TRUE(has(text, "icmpv6 type { nd-neighbor-advert, nd-router-advert, nd-redirect } drop"));
  EXPECT_LT(text.find("ether type ip6 drop"), text.find("ether type ip ip saddr"));
}

TEST(NftRules, AGuestOfIpv6AloneSpeaksNothingElse) {
  GuestRules rules = guest();
  rules.ports.front().managed = false;
  rules.ports.front().address = {};
  EXPECT_TRUE(has(add_guest_rules(rules), "source_7_0 accept"));
  rules.ports.front().address6 = *parse_ipv6("2001:db8::53");
  const std::string text = add_guest_rules(rules);
  EXPECT_FALSE(has(text, "source_7_0 accept"));
  EXPECT_TRUE(has(text, "source_7_0 drop"));
  rules.ports.front().dhcp = true;
  EXPECT_TRUE(has(add_guest_rules(rules), "source_7_0 accept"));
}

TEST(NftRules, EgressIsAListOfRules) {
  GuestRules rules = guest();
  rules.egress_any = false;
  rules.egress = {{0xc0000235, 53, 32, 17}, {0x0a000000, 0, 8, 0}, {0, 443, 0, 0}, {0, 0, 0, 1}};
  const std::string text = add_guest_rules(rules);
  EXPECT_FALSE(has(text, "egress_7 accept"));
  EXPECT_TRUE(has(text, "egress_7 ip daddr 192.0.2.53/32 meta l4proto udp th dport 53 accept"));
  EXPECT_TRUE(has(text, "egress_7 ip daddr 10.0.0.0/8 accept"));
  EXPECT_TRUE(has(text, "egress_7 meta l4proto { tcp, udp } th dport 443 accept"));
  EXPECT_TRUE(has(text, "egress_7 meta l4proto icmp accept"));
}

TEST(NftRules, AnEmptyEgressListLetsNothingOut) {
  GuestRules rules = guest();
  rules.egress_any = false;
  const std::string text = add_guest_rules(rules);
  EXPECT_FALSE(has(text, "rule inet fleet egress_7"));
}

TEST(NftRules, WhatIsAddedIsRemoved) {
  const std::string text = remove_guest_rules(guest());
  EXPECT_TRUE(has(text, "delete chain netdev fleet source_7_0"));
  EXPECT_TRUE(has(text, "delete element inet fleet guests { 10.213.77.2 }"));
  EXPECT_TRUE(has(text, "delete chain inet fleet egress_7"));
}

TEST(NftRules, TheWholePublishedListIsReplaced) {
  const std::string text = publish_rules({{0, 0x0ad54d02, 53, 5353, 17, {}},
                                          {0xc0000201, 0x0ad54d03, 80, 8080, 6, {}}});
  EXPECT_EQ(text.rfind("flush map inet fleet published\nflush map inet fleet published_at\n", 0),
            0u);
  EXPECT_TRUE(has(text, "published { udp . 53 : 10.213.77.2 . 5353 }"));
  EXPECT_TRUE(has(text, "published_at { 192.0.2.1 . tcp . 80 : 10.213.77.3 . 8080 }"));
}

TEST(NftRules, ALateAnswerComesFromWhatTheClientAsked) {
  const std::string text = late_rules(
      {{Ipv4{0x0ad54d02}, 5353, Ipv4{0x0a090002}, 40000, Ipv4{0x0a090001}, 53}});
  EXPECT_TRUE(has(text, "late { 10.213.77.2 . 5353 . 10.9.0.2 . 40000 }"));
  EXPECT_TRUE(has(text, "10.9.0.2 . 40000 : 10.9.0.1 }"));
  EXPECT_TRUE(has(text, "udp sport set 53"));
  EXPECT_FALSE(has(late_rules({}), "add "));
}

}  // namespace
}  // namespace launcher
