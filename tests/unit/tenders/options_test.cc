// The command line: that of Solo5's tenders and ours, and what is said of every wrong word.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/tenders/options.h"

namespace {

using proto::Code;
using tenders::Action;
using tenders::Options;

struct Parsed {
  bool good = false;
  Options options;
  Code code = Code::unset;
  std::string what;
  std::string command_line() const {
    return {options.command_line.data(), options.command_line_bytes};
  }
};

Parsed parse(const std::vector<const char*>& words) {
  Parsed parsed;
  tenders::Failure failure;
  parsed.good = tenders::parse_options(words, parsed.options, failure);
  parsed.code = failure.code;
  parsed.what = std::string(failure.what.view());
  return parsed;
}

TEST(TenderOptions, TheImageEndsTheOptionsAndTheRestIsTheGuests) {
  const Parsed parsed = parse({"--mem=16", "guest.spt", "--ipv4=10.0.0.2/24", "--", "x"});
  ASSERT_TRUE(parsed.good) << parsed.what;
  EXPECT_EQ(parsed.options.memory_mib, 16u);
  EXPECT_EQ(parsed.options.image.path, "guest.spt");
  EXPECT_EQ(parsed.command_line(), "--ipv4=10.0.0.2/24 -- x");
}

TEST(TenderOptions, TwoDashesEndTheOptionsToo) {
  const Parsed parsed = parse({"--", "--image", "a"});
  ASSERT_TRUE(parsed.good) << parsed.what;
  EXPECT_EQ(parsed.options.image.path, "--image");
  EXPECT_EQ(parsed.command_line(), "a");
  EXPECT_EQ(parsed.options.memory_mib, 512u);
}

TEST(TenderOptions, DevicesGatherWhatIsSaidOfThem) {
  const Parsed parsed = parse({"--net-mac:service=52:54:00:12:34:56", "--net:service=@7",
                               "--net-mtu:service=9000", "--block:data=disk.img",
                               "--block-sector-size:data=4096", "--block-sync:data=always", "@9"});
  ASSERT_TRUE(parsed.good) << parsed.what;
  ASSERT_EQ(parsed.options.device_count, 2u);
  const tenders::DeviceOption& net = parsed.options.devices[0];
  EXPECT_EQ(net.name, "service");
  EXPECT_EQ(net.source.descriptor, 7);
  EXPECT_TRUE(net.has_mac);
  EXPECT_EQ(net.mac[5], 0x56);
  EXPECT_EQ(net.mtu, 9000);
  const tenders::DeviceOption& block = parsed.options.devices[1];
  EXPECT_EQ(block.source.path, "disk.img");
  EXPECT_EQ(block.sector_bytes, 4096u);
  EXPECT_EQ(block.sync, tenders::BlockSync::always);
  EXPECT_EQ(parsed.options.image.descriptor, 9);
}

TEST(TenderOptions, AMacOfZeroesIsNoneAsInSolo5) {
  const Parsed parsed = parse({"--net:a=tap0", "--net-mac:a=00:00:00:00:00:00", "i"});
  ASSERT_TRUE(parsed.good) << parsed.what;
  EXPECT_FALSE(parsed.options.devices[0].has_mac);
}

TEST(TenderOptions, ReportsAndGraceAreTaken) {
  const Parsed parsed =
      parse({"--exit-report=@3", "--stats=@4", "--stop-grace-ms=250", "--x-exec-heap", "i"});
  ASSERT_TRUE(parsed.good) << parsed.what;
  EXPECT_EQ(parsed.options.report_descriptor, 3);
  EXPECT_EQ(parsed.options.stats_descriptor, 4);
  EXPECT_EQ(parsed.options.stop_grace_ms, 250u);
  EXPECT_TRUE(parsed.options.exec_heap);
}

TEST(TenderOptions, HelpAndVersionNeedNoImage) {
  EXPECT_EQ(parse({"--help"}).options.action, Action::show_help);
  EXPECT_EQ(parse({"--version", "--nonsense"}).options.action, Action::show_version);
}

TEST(TenderOptions, EveryWrongWordIsNamed) {
  const struct {
    std::vector<const char*> words;
    const char* says;
  } cases[] = {
      {{}, "no image"},
      {{"--mem=16"}, "no image"},
      {{"--mem=x", "i"}, "--mem=x"},
      {{"--mem=-1", "i"}, "--mem=-1"},
      {{"--mem=99999999999999999999999", "i"}, "--mem="},
      {{"--mem", "i"}, "--mem: no such option"},
      {{"--nonsense", "i"}, "--nonsense: no such option"},
      {{"--net=tap0", "i"}, "--net:NAME=VALUE"},
      {{"--net:=tap0", "i"}, "--net:NAME=VALUE"},
      {{"--net:a", "i"}, "--net:NAME=VALUE"},
      {{"--net:a=", "i"}, "--net:NAME=TAP"},
      {{"--net:a=@x", "i"}, "--net:NAME=TAP"},
      {{"--net:a=@99999", "i"}, "--net:NAME=TAP"},
      {{"--net:a=t", "--net:a=u", "i"}, "attached twice"},
      {{"--net-mac:a=1:2", "i"}, "unicast address"},
      {{"--net-mac:a=01:00:00:00:00:01", "i"}, "unicast address"},
      {{"--net-mtu:a=67", "i"}, "68..65535"},
      {{"--block:a=f", "--block:a=g", "i"}, "attached twice"},
      {{"--block-sector-size:a=500", "i"},
       "Block size must be a multiple of 2 greater than or equal 512"},
      {{"--block-sector-size:a=256", "i"},
       "Block size must be a multiple of 2 greater than or equal 512"},
      {{"--block-sector-size:a=65536", "i"}, "at most 32768"},
      {{"--block-sync:a=sometimes", "i"}, "always|never"},
      {{"--exit-report=3", "i"}, "--exit-report=@FD"},
      {{"--stats=@-1", "i"}, "--stats=@FD"},
      {{"--stop-grace-ms=600001", "i"}, "--stop-grace-ms=600001"},
      {{"@x"}, "a file or @FD"},
  };
  for (const auto& one : cases) {
    const Parsed parsed = parse(one.words);
    EXPECT_FALSE(parsed.good) << one.says;
    EXPECT_EQ(parsed.code, Code::bad_argument) << parsed.what;
    EXPECT_NE(parsed.what.find(one.says), std::string::npos) << parsed.what;
  }
}

TEST(TenderOptions, TheGuestsArgumentsHaveAnEnd) {
  const std::string most(8191, 'a');
  EXPECT_EQ(parse({"i", most.c_str()}).command_line(), most);
  const std::string more = most + 'a';
  EXPECT_EQ(parse({"i", more.c_str()}).code, Code::too_large);
  EXPECT_EQ(parse({"i", most.c_str(), ""}).code, Code::too_large);
}

TEST(TenderOptions, ThereIsAnEndToDevices) {
  std::vector<std::string> texts;
  for (int i = 0; i < 65; ++i) texts.push_back("--net:n" + std::to_string(i) + "=t");
  std::vector<const char*> words;
  for (const std::string& text : texts) words.push_back(text.c_str());
  words.push_back("i");
  EXPECT_NE(parse(words).what.find("more than 64 devices"), std::string::npos);
}

}  // namespace
