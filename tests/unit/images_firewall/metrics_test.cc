#include "images/firewall/metrics.h"

#include <gtest/gtest.h>

#include "images/firewall/options.h"
#include "tests/unit/images_firewall/world.h"

namespace images::firewall {
namespace {

std::string metrics(const World& world, std::size_t room) {
  std::vector<char> out(room);
  const PortCounts ports[] = {{"wan", 3, 0}, {"lan", 4, 1}};
  return {out.data(), write_metrics(world.firewall, ports, nullptr, out)};
}

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, TellWhatBecameOfFramesFlowsAndRules) {
  World world("chain forward {\n udp dport 53 counter accept\n}\n");
  const Frame asked = ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kUdp, 1, 0, {}}, udp(9, 53)));
  world.lan(asked);
  world.lan(asked);
  world.lan(Frame(3));
  const std::string text = metrics(world, 4096);
  EXPECT_TRUE(has(text, "# TYPE firewall_frames_total counter"));
  EXPECT_TRUE(has(text, "firewall_frames_total{outcome=\"rule_accepts\"} 2"));
  EXPECT_TRUE(has(text, "firewall_frames_total{outcome=\"malformed\"} 1"));
  EXPECT_TRUE(has(text, "firewall_received_frames_total{interface=\"wan\"} 3"));
  EXPECT_TRUE(has(text, "firewall_lost_frames_total{interface=\"lan\"} 1"));
  EXPECT_TRUE(has(text, "firewall_flows 1"));
  EXPECT_TRUE(has(text, "firewall_flows_limit 64"));
  EXPECT_TRUE(has(text, "firewall_rule_packets_total{line=\"2\"} 2"));
  EXPECT_TRUE(has(text, "firewall_rule_bytes_total{line=\"2\"} " +
                            std::to_string(2 * asked.size())));
  EXPECT_EQ(text.find("left_out"), std::string::npos);
}

TEST(Metrics, WhatDoesNotFitIsLeftOutByWholeLinesAndSaid) {
  std::string rules = "chain forward {\n";
  for (int i = 0; i < 500; ++i) rules += "counter\n";
  const World world(rules + "}\n");
  const std::string text = metrics(world, 4096);
  EXPECT_LE(text.size(), 4096u);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_TRUE(has(text, "firewall_rule_packets_total{line=\"2\"} 0"));
  EXPECT_NE(text.find("\nfirewall_counters_left_out "), std::string::npos);
  EXPECT_EQ(metrics(world, 100), "");
}

TEST(Options, AreReadOrRefused) {
  Options options;
  std::string_view bad;
  const std::string_view good[] = {"--flows=16", "--adopt=600", "--replies=7",
                                   "--route=172.16.0.0/12,10.0.0.9",
                                   "--route=2001:db8:9::/48,2001:db8::9"};
  EXPECT_EQ(parse_options(good, options, bad), nullptr);
  EXPECT_EQ(options.flows, 16u);
  EXPECT_EQ(options.adopt_seconds, 600u);
  EXPECT_EQ(options.replies, 7u);
  ASSERT_EQ(options.route_count, 2u);
  EXPECT_EQ(options.routes[0].bits, 12);
  EXPECT_FALSE(options.routes[0].is_ip6);
  EXPECT_EQ(options.routes[0].gateway[3], 9);
  EXPECT_EQ(options.routes[1].bits, 48);
  EXPECT_TRUE(options.routes[1].is_ip6);
  for (const std::string_view wrong : {"--flows=15", "--flows=1048577", "--flows=", "--flows",
                                       "--adopt=601", "--adopt=x", "flows=16", "--replies=0",
                                       "--route=10.0.0.0/8", "--route=10.0.0.1/8,10.0.0.9",
                                       "--route=10.0.0.0/33,10.0.0.9", "--route=10.0.0.0,10.0.0.9",
                                       "--route=10.0.0.0/8,::1", "--route=", ""}) {
    const std::string_view words[] = {"--adopt=0", wrong};
    EXPECT_NE(parse_options(words, options, bad), nullptr) << wrong;
    EXPECT_EQ(bad, wrong);
  }
}

}  // namespace
}  // namespace images::firewall
