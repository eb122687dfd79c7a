#include "images/dns/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace images::dns {
namespace {

std::string told(const OptionFault& fault) {
  if (!fault.failed()) return "";
  return std::to_string(fault.line) + ": " + fault.what + ": " + std::string(fault.word);
}

Address address_of(std::string_view text) {
  Address result;
  EXPECT_TRUE(parse_address(text, result)) << text;
  return result;
}

TEST(Options, AreTheSameWordsInArgumentsAndFile) {
  const std::vector<std::string_view> arguments{"--port=5353", "--rrl=20", "--metrics=9153",
                                                "--forward=192.0.2.1", "--forward-for=10.0.0.0/8",
                                                "--nsid=edge-1"};
  Options of_arguments;
  ASSERT_EQ(told(read_arguments(arguments, of_arguments)), "");
  Options of_file;
  ASSERT_EQ(told(read_options_file("# all of it\nport 5353\n\n rrl\t20 # slow\r\nmetrics 9153\n"
                                   "forward 192.0.2.1\nforward-for 10.0.0.0/8\nnsid edge-1",
                                   of_file)),
            "");
  for (const Options& options : {of_arguments, of_file}) {
    EXPECT_EQ(options.port, 5353);
    EXPECT_EQ(options.answers_per_second, 20u);
    EXPECT_EQ(options.metrics_port, 9153);
    EXPECT_EQ(options.nsid, "edge-1");
    ASSERT_EQ(options.upstream_count, 1u);
    EXPECT_EQ(options.upstreams[0], (Endpoint{address_of("192.0.2.1"), 53}));
    EXPECT_TRUE(options.forwards_for(address_of("10.1.2.3")));
    EXPECT_FALSE(options.forwards_for(address_of("192.168.0.1")));
  }
}

TEST(Options, ForwardForPrivateNetworksUnlessTold) {
  const Options options;
  for (const char* text : {"10.0.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
                           "169.254.1.1", "127.0.0.1", "fd00::1", "fe80::1"}) {
    EXPECT_TRUE(options.forwards_for(address_of(text))) << text;
  }
  for (const char* text : {"11.0.0.1", "172.32.0.1", "192.0.2.1", "100.128.0.1", "2001:db8::1"}) {
    EXPECT_FALSE(options.forwards_for(address_of(text))) << text;
  }
}

TEST(Options, TellWhatIsWrongAndWhere) {
  const struct {
    const char* text;
    const char* told;
  } lines[] = {
      {"port 53\nprot 53\n",
       "2: no such option; there are port, rrl, forward, forward-for, nsid and metrics: prot 53"},
      {"port 0", "1: not a port of 1..65535: port 0"},
      {"port", "1: not a port of 1..65535: port"},
      {"metrics 65536", "1: not a port of 1..65535: metrics 65536"},
      {"nsid two words", "1: not a word of 1..64 characters to be known by: nsid two words"},
      {"nsid", "1: not a word of 1..64 characters to be known by: nsid"},
      {"rrl many", "1: not a number of answers per second, 0..1000000: rrl many"},
      {"\n\nforward a.example",
       "3: not ADDRESS, A.B.C.D:PORT or [IPv6]:PORT of a server to forward to: forward a.example"},
      {"forward 192.0.2.1\nforward 192.0.2.1:53",
       "2: this server is there already: forward 192.0.2.1:53"},
      {"forward-for 10.0.0.1/8",
       "1: not a network ADDRESS/BITS with no bit behind the prefix: forward-for 10.0.0.1/8"},
  };
  for (const auto& c : lines) {
    Options options;
    EXPECT_EQ(told(read_options_file(c.text, options)), c.told);
  }
  for (const std::string_view argument : {"port=53", "--port", "-port=53", "--prot=53", "--=1"}) {
    Options options;
    EXPECT_TRUE(read_arguments({&argument, 1}, options).failed()) << argument;
  }
}

TEST(Options, HaveLimits) {
  std::string upstreams;
  for (std::size_t i = 0; i <= kMaxUpstreams; ++i) {
    upstreams += "forward 192.0.2." + std::to_string(i) + "\n";
  }
  std::string networks;
  for (std::size_t i = 0; i <= kMaxForwardFor; ++i) {
    networks += "forward-for 192.0.2." + std::to_string(i) + "\n";
  }
  for (const std::string& text : {upstreams, networks}) {
    Options options;
    const OptionFault fault = read_options_file(text, options);
    EXPECT_EQ(std::string(fault.what).substr(0, 9), "more than");
    EXPECT_GT(fault.line, 8u);
  }
}

}  // namespace
}  // namespace images::dns
