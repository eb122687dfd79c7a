#include "images/firewall/rules.h"

#include <gtest/gtest.h>

#include "tests/unit/images_firewall/world.h"

namespace images::firewall {
namespace {

RulesFault parse(const std::string& text, bool is_routed = false) {
  static std::vector<std::uint8_t> memory(4 << 20);
  runtime::Arena arena(memory);
  RuleSet rules;
  const std::string_view names[] = {"wan", "lan", ""};
  const std::string_view addressed[] = {"", "", "", "mgmt"};
  return parse_rules(text, {names, addressed, is_routed}, arena, rules);
}

std::string chain(const std::string& rules) { return "chain forward {\n" + rules + "\n}\n"; }

bool welcome(World& world, const Frame& frame) {
  constexpr std::size_t kMgmt = 2;
  return world.firewall.admit(frame, kMgmt, 1).reason == Reason::own;
}

TEST(Rules, RefusesByLineAndWord) {
  const struct {
    std::string text;
    std::string what;
    std::string word;
    std::uint32_t line;
  } cases[] = {
      {"", "there is no chain forward", "", 1},
      {"table inet x {\n}", "a rules file holds define, set and chain", "table", 1},
      {"chain output {\n}", "the chains are forward, input, prerouting and postrouting", "output",
       1},
      {"chain input {\n}", "there is no chain forward", "", 2},
      {"chain input {\noif mgmt accept\n}", "chain input knows no oif and no ct state", "oif", 2},
      {"chain input {\nct state new accept\n}", "chain input knows no oif and no ct state", "ct",
       2},
      {"chain input {\niif wan accept\n}", "not an interface whose frames this chain sees", "wan",
       2},
      {chain("iif mgmt"), "not an interface whose frames this chain sees", "mgmt", 2},
      {chain("accept") + chain("accept"), "a second chain of that name", "forward", 4},
      {"chain forward {\naccept\n", "the chain has no }", "forward", 1},
      {chain("accept drop"), "nothing follows a verdict", "drop", 2},
      {chain("\n\nallow"), "no statement begins so", "allow", 4},
      {chain("policy reject"), "policy drop or policy accept", "reject", 2},
      {chain("policy drop accept"), "this belongs on a line of its own", "accept", 2},
      {chain("type nat hook forward priority 0"),
       "the only type here is: type filter hook CHAIN priority NUMBER", "nat", 2},
      {chain("tcp flags syn"), "no such field of this header", "flags", 2},
      {chain("tcp dport 65536"), "not a port of 0..65535, in digits", "65536", 2},
      {chain("tcp dport http"), "not a port of 0..65535, in digits", "http", 2},
      {chain("tcp dport 9-7"), "a range that ends before it begins", "9-7", 2},
      {chain("tcp dport { 1 2 }"), "a list goes on with , or ends with }", "2", 2},
      {chain("tcp dport { }"), "a list without a value", "{", 2},
      {chain("tcp dport {\n1,\n2"), "the chain has no }", "forward", 1},
      {chain("tcp dport"), "a value is missing here", "", 2},
      {chain("ip saddr 10.0.0.256"), "not an IPv4 address, A.B.C.D/N or range of two",
       "10.0.0.256", 2},
      {chain("ip saddr 10.0.0.1/24"), "an address with bits behind its prefix", "10.0.0.1/24", 2},
      {chain("ip saddr 10.0.0.0/33"), "not an IPv4 address, A.B.C.D/N or range of two",
       "10.0.0.0/33", 2},
      {chain("ip saddr ::1"), "not an IPv4 address, A.B.C.D/N or range of two", "::1", 2},
      {chain("ip6 saddr 10.0.0.1"), "not an IPv6 address, prefix or range of two", "10.0.0.1", 2},
      {chain("ip6 saddr 2001:db8::1/64"), "an address with bits behind its prefix",
       "2001:db8::1/64", 2},
      {chain("iif \"dmz\""), "not an interface whose frames this chain sees", "dmz", 2},
      {chain("iif \"\""), "not an interface whose frames this chain sees", "", 2},
      {chain("icmp type pong"), "not an ICMP type: a name or 0..255", "pong", 2},
      {chain("ct state 0"),
       "not a state: new, established, related, invalid or untracked", "0", 2},
      {chain("ether type 0x80"), "not an ether type: ip, ip6, arp, vlan or 0xNNNN", "0x80", 2},
      {chain("vlan id 4096"), "not a VLAN of 0..4095", "4096", 2},
      {chain("ip saddr $lan"), "nothing of that name was defined before", "$lan", 2},
      {chain("ip saddr @lan"), "no set of that name stands before", "@lan", 2},
      {"define a = $a\n" + chain("ip saddr $a"), "nothing of that name was defined before", "$a",
       3},
      {"define a = 10.0.0.0/8\n" + chain("tcp dport $a"), "not a port of 0..65535, in digits",
       "10.0.0.0/8", 3},
      {"define a {1}\n", "define NAME = VALUE: no = here", "{", 1},
      {"define a = {1\n", "a list without its }", "a", 1},
      {"define a =\n", "define NAME = VALUE: no value here", "", 1},
      {"set s { type ipv4_addr; elements = { 1 } }",
       "not an IPv4 address, A.B.C.D/N or range of two", "1", 1},
      {"set s { elements = { 1 } }", "a set's type stands first", "elements", 1},
      {"set s { type mark; }", "not a set's type: ipv4_addr, ipv6_addr or inet_service", "mark", 1},
      {"set s { flags timeout; }", "not a set's flag: interval or constant", "timeout", 1},
      {"set s { }", "a set without a type", "s", 1},
      {"set s { type inet_service; elements = { 1 } }\n" + chain("ip saddr @s"),
       "a set of another type", "@s", 3},
      {chain("limit rate 5"), "limit rate [over] N/second|minute|hour|day [burst N packets]", "5",
       2},
      {chain("limit rate 0/second"),
       "limit rate [over] N/second|minute|hour|day [burst N packets]", "0/second", 2},
      {chain("limit rate 1/week"),
       "limit rate [over] N/second|minute|hour|day [burst N packets]", "1/week", 2},
      {chain("limit rate 1/second burst 0 packets"), "not a burst of 1..100000 packets", "0", 2},
      {chain("log prefix x"), "log prefix \"TEXT\"", "x", 2},
      {chain("comment x"), "comment \"TEXT\"", "x", 2},
      {chain("log prefix \"x"), "log prefix \"TEXT\"", "\"", 2},
      {chain("ip saddr & accept"), "a value is missing here", "&", 2},
  };
  for (const auto& c : cases) {
    const RulesFault fault = parse(c.text);
    ASSERT_TRUE(fault.failed()) << c.text;
    EXPECT_EQ(fault.what, c.what) << c.text;
    EXPECT_EQ(fault.word, c.word) << c.text;
    EXPECT_EQ(fault.line, c.line) << c.text;
  }
}

TEST(Rules, RefusesVerdictsThatCannotBeByLineAndWord) {
  const auto pre = [](const std::string& rule) {
    return "chain prerouting {\n" + rule + "\n}\n" + chain("accept");
  };
  const auto post = [](const std::string& rule) {
    return "chain postrouting {\n" + rule + "\n}\n" + chain("accept");
  };
  const char* const only =
      "prerouting has accept and dnat, postrouting accept, snat and masquerade: drop in forward";
  const char* const place = "dnat belongs in chain prerouting, snat and masquerade in postrouting";
  const char* const with = "reject with tcp reset, icmp CODE, icmpv6 CODE or icmpx CODE";
  const struct {
    std::string text;
    std::string what;
    std::string word;
  } cases[] = {
      {chain("reject with tcp rst"), "reject with tcp reset", "rst"},
      {chain("reject with icmp type no-route"), with, "no-route"},
      {chain("reject with icmp6 no-route"), with, "no-route"},
      {chain("reject accept"), "nothing follows a verdict", "accept"},
      {chain("masquerade"), place, "masquerade"},
      {chain("dnat to 10.0.0.1"), place, "dnat"},
      {pre("drop"), only, "drop"},
      {pre("reject"), only, "reject"},
      {pre("masquerade"), only, "masquerade"},
      {post("dnat to 10.0.0.1"), only, "dnat"},
      {post("policy drop"), only, "drop"},
      {pre("oif lan accept"), "chain prerouting knows no oif: the way is not known yet", "oif"},
      {pre("dnat 10.0.0.1"), "dnat to A:P, snat to A or masquerade: no `to` here", "dnat"},
      {pre("dnat to :80"), "not an IPv4 address or A.B.C.D:PORT", ":80"},
      {pre("dnat to 10.0.0.256"), "not an IPv4 address or A.B.C.D:PORT", "10.0.0.256"},
      {pre("tcp dport 1 dnat to 10.0.0.1:0"), "not a port of 1..65535, in digits", "10.0.0.1:0"},
      {pre("tcp dport 1 dnat to 10.0.0.1:1-2"), "dnat goes to one port", "10.0.0.1:1-2"},
      {pre("dnat to 10.0.0.1:80"), "a port only behind a match of tcp or udp", "10.0.0.1:80"},
      {pre("meta l4proto { tcp, gre } dnat to 10.0.0.1:80"),
       "a port only behind a match of tcp or udp", "10.0.0.1:80"},
      {pre("meta l4proto != tcp dnat to 10.0.0.1:80"),
       "a port only behind a match of tcp or udp", "10.0.0.1:80"},
      {post("tcp dport 1 masquerade to 10.0.0.1:80"), "masquerade to :PORT-PORT alone",
       "10.0.0.1:80"},
      {post("tcp dport 1 snat to 10.0.0.1:9-8"), "a range that ends before it begins",
       "10.0.0.1:9-8"},
      {pre("type filter hook prerouting priority 0"),
       "the only type here is: type nat hook CHAIN priority NUMBER", "filter"},
      {pre("type nat hook prerouting priority -x"), "not a priority of -1000..1000", "-x"},
  };
  for (const auto& c : cases) {
    const RulesFault fault = parse(c.text, true);
    ASSERT_TRUE(fault.failed()) << c.text;
    EXPECT_EQ(fault.what, c.what) << c.text;
    EXPECT_EQ(fault.word, c.word) << c.text;
    EXPECT_EQ(fault.line, 2u) << c.text;
  }
  for (const std::string& good :
       {pre("type nat hook prerouting priority dstnat\nmeta l4proto tcp dnat ip to 10.0.0.1:80"),
        post("type nat hook postrouting priority -100; policy accept;\nmasquerade fully-random"),
        post("udp dport 53 snat to 10.0.0.1:5000-6000 random comment \"x\""),
        post("tcp sport 1 masquerade to :5000-6000")}) {
    EXPECT_FALSE(parse(good, true).failed()) << good << parse(good, true).what;
    EXPECT_STREQ(parse(good, false).what,
                 "a bridge translates no addresses: that needs interfaces with some");
  }
}

TEST(Rules, KeepsItsLimits) {
  std::string many;
  for (int i = 0; i < 257; ++i) many += "limit rate 1/second accept\n";
  EXPECT_STREQ(parse(chain(many)).what, "more limits than fit");
  many.clear();
  for (int i = 0; i < 4097; ++i) many += "accept\n";
  EXPECT_STREQ(parse(chain(many)).what, "more rules than fit");
  many = "define d0 = { 1, 2 }\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "$d" + std::to_string(i - 1);
    many += "define d" + std::to_string(i) + " = { " + before + ", " + before + " }\n";
  }
  const RulesFault fault = parse(many + chain("tcp dport $d39 accept"));
  ASSERT_TRUE(fault.failed());
  EXPECT_EQ(fault.line, 42u) << "where the define is used";
}

TEST(Rules, NoMemoryIsSaid) {
  std::vector<std::uint8_t> memory(1000);
  runtime::Arena arena(memory);
  RuleSet rules;
  EXPECT_STREQ(parse_rules(chain("accept"), {}, arena, rules).what,
               "too little memory for rules: give the app more");
}

// One rule, one frame from the LAN: does it match?
bool matches(const std::string& rule, const Frame& frame) {
  World world(chain(rule + " accept"));
  return world.lan(frame);
}

TEST(Rules, MatchWhatTheySay) {
  const Frame web = ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kTcp, 1, 0, {}},
                                         tcp({1000, 443, kTcpSyn})));
  const Frame dns6 = ether(kEtherIp6, ip6("2001:db8::1", "2001:db8:1::53", kUdp, udp(999, 53)));
  const Frame ping = ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kIcmp, 1, 0, {}},
                                          icmp(8, 0, 1)));
  const Frame solicit = ether(kEtherIp6, ip6("fe80::1", "ff02::1:ff00:1", kIcmp6,
                                             icmp(135, 0, 0, Frame(16))));
  const Frame arp = ether(kEtherArp, Frame(28));
  const Frame tagged = ether(kEtherVlan, join({0, 7, 8, 0}, Frame(40)));
  const struct {
    std::string rule;
    const Frame& frame;
    bool matches;
  } cases[] = {
      {"", web, true},
      {"iif lan oif wan", web, true},
      {"iifname \"wan\"", web, false},
      {"iif != wan", web, true},
      {"meta oifname \"wan\"", web, true},
      {"ip saddr 10.0.0.1", web, true},
      {"ip saddr 10.0.0.0/8", web, true},
      {"ip saddr 10.0.0.2-10.0.0.9", web, false},
      {"ip saddr 10.0.0.0-10.0.0.1", web, true},
      {"ip saddr != 10.0.0.0/8", web, false},
      {"ip saddr != 11.0.0.0/8", web, true},
      {"ip saddr { 9.0.0.0/8, 10.0.0.0-10.0.0.5, 10.0.0.4-10.0.0.9 }", web, true},
      {"ip daddr 192.0.2.7/32", web, true},
      {"ip daddr 0.0.0.0/0", web, true},
      {"ip daddr 0.0.0.0/0", dns6, false},
      {"ip daddr != 192.0.2.8", dns6, false},
      {"ip6 daddr 2001:db8:1::/48", dns6, true},
      {"ip6 saddr { ::1, 2001:db8::-2001:db8::ff }", dns6, true},
      {"ip6 saddr != 2001:db8::1", dns6, false},
      {"ip6 saddr ::/0", web, false},
      {"ip protocol tcp", web, true},
      {"ip6 nexthdr udp", dns6, true},
      {"ip6 nexthdr udp", web, false},
      {"meta l4proto { tcp, udp }", dns6, true},
      {"meta l4proto 6", web, true},
      {"tcp dport 443", web, true},
      {"tcp dport 400-500", web, true},
      {"tcp dport { 80, 443 }", web, true},
      {"tcp dport { 400-410, 405-450, 500 }", web, true},
      {"tcp dport { 444-500, 400-442 }", web, false},
      {"tcp dport != 443", web, false},
      {"tcp sport 1000 tcp dport 443", web, true},
      {"tcp sport 1001 tcp dport 443", web, false},
      {"udp dport 443", web, false},
      {"udp dport != 443", web, false},
      {"udp dport 53", dns6, true},
      {"icmp type echo-request", ping, true},
      {"icmp type { echo-reply, 9 }", ping, false},
      {"icmpv6 type echo-request", ping, false},
      {"icmpv6 type nd-neighbor-solicit", solicit, true},
      {"ct state untracked", solicit, true},
      {"ct state new", web, true},
      {"ct state established,related", web, false},
      {"ct state { new, established }", web, true},
      {"ct state new", arp, false},
      {"ether type arp", arp, true},
      {"ether type 0x0806", arp, true},
      {"ether type ip", web, true},
      {"ether type vlan", tagged, true},
      {"vlan id 7", tagged, true},
      {"vlan id 8", tagged, false},
      {"vlan id != 8", web, false},
      {"ether type ip", tagged, false},
      {"counter comment \"counted\"", web, true},
  };
  for (const auto& c : cases) EXPECT_EQ(matches(c.rule, c.frame), c.matches) << c.rule;
}

TEST(Rules, TheFirstThatDecidesDecides) {
  const Frame web = ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kTcp, 1, 0, {}},
                                         tcp({1000, 443, kTcpSyn})));
  World world(
      "define web = { 80, 443 }\n"
      "set blocked { type ipv4_addr; flags interval; elements = { 10.9.0.0/16 } }\n"
      "chain forward {\n"
      "  type filter hook forward priority 0; policy accept;\n"
      "  counter log prefix \"all \"\n"
      "  ip saddr @blocked drop\n"
      "  tcp dport $web counter drop\n"
      "  tcp dport 443 accept }\n");
  const Outcome outcome = world.from_lan(web);
  EXPECT_EQ(outcome.reason, Reason::rule_drops);
  EXPECT_EQ(outcome.line, 7u);
  EXPECT_TRUE(outcome.has_log);
  EXPECT_EQ(outcome.log, "all ");
  EXPECT_EQ(world.rules.counters[0].packets, 1u);
  EXPECT_EQ(world.rules.counters[1].bytes, web.size());
  EXPECT_EQ(world.rules.counters[1].line, 7u);
  EXPECT_TRUE(world.lan(ether(kEtherArp, Frame(28)))) << "the policy accepts";
}

TEST(Rules, WithoutAPolicyAllElseIsDropped) {
  World world(chain("tcp dport 443 accept"));
  const Outcome outcome = world.from_lan(ether(kEtherArp, Frame(28)));
  EXPECT_EQ(outcome.reason, Reason::policy);
  EXPECT_EQ(outcome.line, 0u);
}

TEST(Rules, ChainInputJudgesWhatIsForTheFirewall) {
  World world(
      "chain input {\n ether type arp accept\n iif mgmt tcp dport 9100 counter accept\n}\n"
      "chain forward {\n accept\n}\n");
  const auto to = [](std::uint16_t port) {
    return ether(kEtherIp4, ip4({"10.0.0.1", "10.0.0.9", kTcp, 1, 0, {}}, tcp({9, port, kTcpSyn})));
  };
  EXPECT_TRUE(welcome(world, to(9100)));
  EXPECT_TRUE(welcome(world, ether(kEtherArp, Frame(28))));
  EXPECT_FALSE(welcome(world, to(9101)));
  EXPECT_FALSE(welcome(world, Frame(9)));
  EXPECT_EQ(world.rules.counters[0].packets, 1u);
  EXPECT_TRUE(world.lan(to(9101))) << "chain forward is another";
  World open("chain forward {\n}\n");
  EXPECT_TRUE(welcome(open, to(9101))) << "no chain, no judgement";
}

TEST(Rules, ALimitLetsItsBurstThroughAndThenItsRate) {
  World world(chain("limit rate 10/second burst 3 packets accept"));
  const Frame arp = ether(kEtherArp, Frame(28));
  int through = 0;
  for (int i = 0; i < 10; ++i) through += world.lan(arp) ? 1 : 0;
  EXPECT_EQ(through, 3);
  world.now_ms += 99;
  EXPECT_FALSE(world.lan(arp));
  world.now_ms += 1;
  EXPECT_TRUE(world.lan(arp));
  EXPECT_FALSE(world.lan(arp));
  world.now_ms += 10'000'000'000'000;  // in no time does it hold more than its burst
  through = 0;
  for (int i = 0; i < 10; ++i) through += world.lan(arp) ? 1 : 0;
  EXPECT_EQ(through, 3);
}

TEST(Rules, ALimitTurnedRoundMatchesWhatIsOverIt) {
  World world(chain("policy accept\nlimit rate over 10/second burst 3 packets drop"));
  int through = 0;
  for (int i = 0; i < 10; ++i) through += world.lan(ether(kEtherArp, Frame(28))) ? 1 : 0;
  EXPECT_EQ(through, 3);
}

}  // namespace
}  // namespace images::firewall
