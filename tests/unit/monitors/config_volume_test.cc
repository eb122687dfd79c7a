// The config volume, read back by a reader of its own that follows POSIX to the letter.
#include "agent/monitors/config_volume.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "images/abi/config_volume.h"

namespace monitors {
namespace {

using proto::Code;

GuestConfig config() {
  GuestConfig config;
  config.hostname = "dns-lyon";
  config.seed = std::string(31, '\xab') + '\x01';
  config.args = {"--rrl=20", "two words"};
  config.env = {{"TZ", "UTC"}};
  config.files["/zones/a.zone"] = "a zone\n";
  config.files["/empty"] = "";
  GuestInterface interface;
  interface.name = "service";
  interface.mac.bytes = {0x52, 0x54, 0, 0, 0, 9};
  interface.address = agent::Ipv4{0x0ad54d02};
  interface.gateway = agent::Ipv4{0x0ad54d01};
  interface.dns = {agent::Ipv4{0xc0000235}};
  config.interfaces.push_back(interface);
  return config;
}

/// Walks the archive by the letter of POSIX, checksums included.
std::map<std::string, std::string> read_archive(const std::string& archive) {
  std::map<std::string, std::string> entries;
  EXPECT_EQ(archive.size() % 512, 0u);
  std::size_t at = 0;
  while (at + 512 <= archive.size() && archive[at] != '\0') {
    images::abi::UstarHeader header;
    std::memcpy(&header, archive.data() + at, sizeof header);
    const std::size_t size = std::stoul(std::string(header.size, 11), nullptr, 8);
    const std::size_t sum = std::stoul(std::string(header.checksum, 6), nullptr, 8);
    std::memset(header.checksum, ' ', sizeof header.checksum);
    std::size_t own = 0;
    const auto* raw = reinterpret_cast<const unsigned char*>(&header);
    for (std::size_t i = 0; i < sizeof header; ++i) own += raw[i];
    EXPECT_EQ(own, sum);
    EXPECT_EQ(std::string(header.magic, 6), std::string("ustar\0", 6));
    EXPECT_EQ(header.type, '0');
    const std::string name(header.name, ::strnlen(header.name, sizeof header.name));
    const std::string prefix(header.prefix, ::strnlen(header.prefix, sizeof header.prefix));
    entries[prefix.empty() ? name : prefix + "/" + name] = archive.substr(at + 512, size);
    at += 512 + (size + 511) / 512 * 512;
  }
  EXPECT_EQ(archive.size() - at, 1024u) << "two zero blocks end it";
  return entries;
}

TEST(ConfigVolume, HoldsWhatTheGuestIsTold) {
  const auto volume = config_volume(config());
  ASSERT_TRUE(volume.has_value()) << volume.error().what;
  const auto entries = read_archive(*volume);
  EXPECT_EQ(entries.at("config"),
            "version=1\nhostname=dns-lyon\nseed=" + [] {
              std::string hex;
              for (int i = 0; i < 31; ++i) hex += "ab";
              return hex;
            }() + "01\nnet0.name=service\nnet0.mac=52:54:00:00:00:09\nnet0.address=10.213.77.2/24\n"
                  "net0.gateway=10.213.77.1\nnet0.dns=192.0.2.53\n");
  EXPECT_EQ(entries.at("args"), std::string("--rrl=20\0two words\0", 19));
  EXPECT_EQ(entries.at("env"), std::string("TZ=UTC\0", 7));
  EXPECT_EQ(entries.at("files/zones/a.zone"), "a zone\n");
  EXPECT_EQ(entries.at("files/empty"), "");
}

TEST(ConfigVolume, AnInterfaceMayAskForItsAddress) {
  GuestConfig asks = config();
  GuestInterface& interface = asks.interfaces.front();
  interface.address = {};
  interface.gateway = {};
  interface.dhcp = true;
  interface.address6 = *launcher::parse_ipv6("2001:db8::53");
  interface.gateway6 = *launcher::parse_ipv6("2001:db8::1");
  const auto volume = config_volume(asks);
  ASSERT_TRUE(volume.has_value());
  const std::string text = read_archive(*volume).at("config");
  EXPECT_NE(text.find("net0.address=dhcp\nnet0.address6=2001:db8::53/64\n"
                      "net0.gateway6=2001:db8::1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("gateway="), std::string::npos);
}

TEST(ConfigVolume, ALongPathIsSplitAtASlash) {
  GuestConfig long_path = config();
  const std::string path = "/" + std::string(90, 'd') + "/" + std::string(90, 'f');
  long_path.files[path] = "x";
  const auto volume = config_volume(long_path);
  ASSERT_TRUE(volume.has_value()) << volume.error().what;
  EXPECT_EQ(read_archive(*volume).count("files" + path), 1u);
  long_path.files.clear();
  long_path.files["/" + std::string(120, 'f')] = "x";
  EXPECT_EQ(config_volume(long_path).error().code, Code::bad_argument);
}

TEST(ConfigVolume, APathThatLeavesItsPlaceIsRefused) {
  for (const std::string& path : {std::string("zones/a"), std::string("/../etc"),
                                  std::string("/a/../b"), std::string("/a//b"), std::string("/"),
                                  std::string("/a/"), std::string("/./a"), std::string(""),
                                  "/" + std::string(300, 'a')}) {
    GuestConfig bad = config();
    bad.files[path] = "x";
    const auto volume = config_volume(bad);
    ASSERT_FALSE(volume.has_value()) << path;
    EXPECT_EQ(volume.error().code, Code::bad_argument);
  }
}

TEST(ConfigVolume, LimitsAreKept) {
  GuestConfig bad = config();
  bad.files["/big"] = std::string(1024 * 1024 + 1, 'x');
  EXPECT_EQ(config_volume(bad).error().code, Code::too_large);
  bad = config();
  bad.seed = "short";
  EXPECT_EQ(config_volume(bad).error().code, Code::bad_argument);
  bad = config();
  bad.hostname = "a\nseed=0";
  EXPECT_EQ(config_volume(bad).error().code, Code::bad_argument);
  bad = config();
  bad.args.assign(129, "x");
  EXPECT_EQ(config_volume(bad).error().code, Code::too_large);
  bad = config();
  bad.args = {std::string("a\0b", 3)};
  EXPECT_EQ(config_volume(bad).error().code, Code::bad_argument);
}

TEST(MemoryFile, IsReadOnlySealedAndReadableForTheJail) {
  const auto file = memory_file("test", "bytes");
  ASSERT_TRUE(file.has_value());
  char buffer[8] = {};
  EXPECT_EQ(::read(file->get(), buffer, sizeof buffer), 5);
  EXPECT_EQ(::write(file->get(), "x", 1), -1);
  EXPECT_EQ(::fcntl(file->get(), F_GETFL) & O_ACCMODE, O_RDONLY);
  const std::string path = "/proc/self/fd/" + std::to_string(file->get());
  const agent::Fd again(::open(path.c_str(), O_RDWR));
  EXPECT_EQ(::write(again.get(), "x", 1), -1) << "the seal does not hold";
  struct stat info {};
  ASSERT_EQ(::fstat(file->get(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0444u);
}

}  // namespace
}  // namespace monitors
