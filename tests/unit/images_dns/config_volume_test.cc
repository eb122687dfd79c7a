#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "images/abi/exit_codes.h"
#include "images/runtime/config.h"

namespace images::runtime {
namespace {

using abi::UstarHeader;

const std::string kSeed(64, 'a');
const std::string kGood = "version=1\nhostname=dns-1\nseed=" + kSeed +
                          "\nnet0.mac=52:54:00:12:34:Fe\nnet0.address=10.77.0.3/24\n"
                          "net0.gateway=10.77.0.1\nfuture=yes\n";

void fix_checksum(std::string& archive, std::size_t at) {
  auto* header = reinterpret_cast<UstarHeader*>(archive.data() + at);
  std::memset(header->checksum, ' ', sizeof(header->checksum));
  unsigned sum = 0;
  for (std::size_t i = 0; i < abi::kUstarBlockBytes; ++i) {
    sum += static_cast<std::uint8_t>(archive[at + i]);
  }
  std::snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

void add(std::string& archive, const std::string& name, const std::string& body,
         const std::string& prefix = "", char type = '0') {
  const std::size_t at = archive.size();
  archive.append(abi::kUstarBlockBytes, '\0');
  auto* header = reinterpret_cast<UstarHeader*>(archive.data() + at);
  name.copy(header->name, sizeof(header->name));
  prefix.copy(header->prefix, sizeof(header->prefix));
  std::snprintf(header->size, sizeof(header->size), "%011zo", body.size());
  header->type = type;
  std::memcpy(header->magic, "ustar", 6);
  fix_checksum(archive, at);
  archive += body;
  archive.append((abi::kUstarBlockBytes - body.size() % abi::kUstarBlockBytes) %
                     abi::kUstarBlockBytes, '\0');
}

std::string ended(std::string archive) { return archive.append(2 * abi::kUstarBlockBytes, '\0'); }

std::string with(const std::string& config) {
  std::string archive;
  add(archive, "config", config);
  return ended(archive);
}

struct Read {
  explicit Read(std::string bytes) : archive(std::move(bytes)) {
    // A heap copy of exact size, so that a sanitizer sees every byte read beyond it.
    copy = std::make_unique<std::uint8_t[]>(archive.size());
    std::memcpy(copy.get(), archive.data(), archive.size());
    fault = config->parse({copy.get(), archive.size()});
  }
  std::string told() const { return fault.failed() ? fault.what : ""; }

  std::string archive;
  std::unique_ptr<std::uint8_t[]> copy;
  std::unique_ptr<Config> config = std::make_unique<Config>();
  ConfigFault fault;
};

TEST(ConfigVolume, ReadsEverything) {
  std::string archive;
  add(archive, "args", std::string("--port=53\0--rrl=20\0", 19));
  add(archive, "folder/", "", "", '5');
  add(archive, "config", kGood);
  add(archive, "env", std::string("TZ=UTC\0EMPTY=\0", 14));
  add(archive, "files/zones/a.zone", "text");
  add(archive, "b.zone", "more", "files/zones/deep");
  add(archive, "c.zone", "", "files");
  add(archive, "later-entry", "x");
  const Read read(ended(archive));
  ASSERT_EQ(read.told(), "");
  const Config& config = *read.config;
  EXPECT_EQ(config.hostname(), "dns-1");
  EXPECT_EQ(config.seed()[31], 0xaa);
  ASSERT_EQ(config.args().size(), 2u);
  EXPECT_EQ(config.args()[1], "--rrl=20");
  EXPECT_EQ(config.variable("TZ"), "UTC");
  EXPECT_EQ(config.variable("NONE"), "");
  const InterfaceConfig& net = config.interface(0);
  EXPECT_TRUE(net.has_mac && net.has_address);
  EXPECT_EQ(net.mac[5], 0xfe);
  EXPECT_EQ(net.address[3], 3);
  EXPECT_EQ(net.prefix_bits, 24);
  EXPECT_FALSE(config.interface(1).present);
  ASSERT_EQ(config.files().size(), 3u);
  std::array<char, abi::kMaxGuestPathBytes + 1> buffer;
  EXPECT_EQ(config.files()[0].path(buffer), "/zones/a.zone");
  EXPECT_EQ(config.files()[1].path(buffer), "/zones/deep/b.zone");
  EXPECT_EQ(config.files()[2].path(buffer), "/c.zone");
  EXPECT_EQ(config.files()[1].text, "more");
}

TEST(ConfigVolume, ReadsSeveralInterfaces) {
  const Read read(with(kGood + "net0.name=service\nnet1.name=wan\nnet1.mac=52:54:00:12:34:57\n"
                               "net3.name=mgmt\nnet3.address=dhcp\nnet3.address6=2001:db8::7/64\n"
                               "net3.gateway6=fe80::1\n"));
  ASSERT_EQ(read.told(), "");
  const Config& config = *read.config;
  EXPECT_EQ(config.interfaces(), 4u);
  EXPECT_EQ(config.find_interface("wan"), 1u);
  EXPECT_EQ(config.find_interface("mgmt"), 3u);
  EXPECT_EQ(config.find_interface("lan"), 4u);
  EXPECT_FALSE(config.interface(0).is_frame_port());
  EXPECT_TRUE(config.interface(1).is_frame_port());
  EXPECT_FALSE(config.interface(2).present);
  EXPECT_TRUE(config.interface(3).dhcp && config.interface(3).has_address6);
  EXPECT_FALSE(config.interface(3).is_frame_port());
  EXPECT_EQ(config.interface(3).address6[15], 7);
  EXPECT_EQ(config.interface(3).gateway6[0], 0xfe);
}

TEST(ConfigVolume, RefusesBadConfigs) {
  const struct {
    const char* change;
    const char* told;
  } cases[] = {
      {"version=2\n", "config: this image reads version 1 only"},
      {"seed=12\n", "config: seed is not 64 hex digits"},
      {"net0.mac=52:54:00:12:34\n", "config: mac is not XX:XX:XX:XX:XX:XX"},
      {"net0.mac=52-54-00-12-34-56\n", "config: mac is not XX:XX:XX:XX:XX:XX"},
      {"net0.address=10.0.0.1\n", "config: address is not A.B.C.D/N"},
      {"net0.address=10.0.0.1/33\n", "config: address is not A.B.C.D/N"},
      {"net0.address=10.0.0/24\n", "config: address is not A.B.C.D/N"},
      {"net0.gateway=x\n", "config: gateway is not A.B.C.D"},
      {"net0.dns=1.2.3.4.5\n", "config: dns is not A.B.C.D"},
      {"net0.mtu=9000\n", "config: mtu is not 576..1500"},
      {"net0.address6=2001:db8::1\n", "config: address6 is not an IPv6 address and /64"},
      {"net0.address6=2001:db8::1/48\n", "config: address6 is not of a /64"},
      {"net0.gateway6=10.0.0.1\n", "config: gateway6 is not an IPv6 address"},
      {"net0.address=dhcp\n", "config: an address and dhcp"},
      {"net1.address6=2001:db8::1/64\nnet1.mtu=1279\n",
       "config: mtu is below 1280, which address6 needs"},
      {"net8.mac=52:54:00:12:34:56\n", "config: too many interfaces"},
      {"noise\n", "config: a line without '='"},
  };
  for (const auto& c : cases) EXPECT_EQ(Read(with(kGood + c.change)).told(), c.told) << c.change;
  EXPECT_EQ(Read(with("seed=" + kSeed)).told(), "config has no version");
  EXPECT_EQ(Read(with("version=1\n")).told(), "config has no seed");
}

TEST(ConfigVolume, RefusesBadArchives) {
  EXPECT_EQ(Read("").told(), "cut short: no end of archive");
  EXPECT_EQ(Read(std::string(512, 'x')).told(), "not a ustar header");
  EXPECT_EQ(Read(ended("")).told(), "no entry `config`");
  std::string changed = with(kGood);
  changed[0] = 'k';
  EXPECT_EQ(Read(changed).told(), "bad header checksum");
  const auto with_size = [](const char* size) {
    std::string archive = with(kGood);
    std::memcpy(reinterpret_cast<UstarHeader*>(archive.data())->size, size, 12);
    fix_checksum(archive, 0);
    return Read(archive).told();
  };
  EXPECT_EQ(with_size("77777777777"), "an entry is longer than the volume");
  EXPECT_EQ(with_size("777777777777"), "an entry is longer than the volume");
  EXPECT_EQ(with_size("0000000009\0"), "bad size");
  std::string twice;
  add(twice, "config", kGood);
  add(twice, "config", kGood);
  EXPECT_EQ(Read(ended(twice)).told(), "a second entry `config`");
  std::string open;
  add(open, "config", kGood);
  add(open, "args", "no NUL");
  EXPECT_EQ(Read(ended(open)).told(), "args or env: the last string has no NUL");
  std::string many;
  add(many, "config", kGood);
  for (std::size_t i = 0; i <= abi::kMaxVolumeFiles; ++i) {
    add(many, "files/f" + std::to_string(i), "");
  }
  EXPECT_EQ(Read(ended(many)).told(), "too many files");
}

TEST(ConfigVolume, SurvivesEveryCut) {
  std::string archive;
  add(archive, "config", kGood);
  add(archive, "files/zones/a.zone", "text");
  archive = ended(archive);
  for (std::size_t size = 0; size + 512 < archive.size(); ++size) {
    EXPECT_NE(Read(archive.substr(0, size)).told(), "") << size;
  }
}

TEST(ExitCodes, CannotBeTakenForQemusOwn) {
  for (int status = 0; status <= abi::kMaxExitStatus; ++status) {
    const int seen = abi::qemu_status(abi::debug_exit_value(status));
    EXPECT_TRUE(abi::is_guest_exit(seen));
    EXPECT_FALSE(abi::is_guest_abort(seen));
    EXPECT_EQ(abi::guest_exit_status(seen), status);
  }
  for (const int own : {0, 1, 2, 97, 126, 127, 255}) EXPECT_FALSE(abi::is_guest_exit(own));
  EXPECT_TRUE(abi::is_guest_abort(97));
}

}  // namespace
}  // namespace images::runtime
