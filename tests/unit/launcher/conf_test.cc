// launcher.conf: what it says, and what it may not say.
#include "agent/launcher/conf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace launcher {
namespace {

TEST(Conf, AllKeysAreRead) {
  const auto conf = parse_conf(
      "# a comment\n\nagent_uid = 990\nsocket=/run/x/l.sock\n bridge = br7 \n"
      "subnet = 10.1.2.0/24\nhost_bridges = br-lan br-wan\nuid_first = 200000\n"
      "memory_max_mib = 256\ncpu_percent_max = 150\nallowed_ports = 53 8000-8100\n"
      "denied_ports = 8080\nbypasses = br-wan:br-lan\n"
      "allow_kvm = no\nqemu = /usr/bin/qemu\ntap_prefix = ab\r\n"
      "serial_lines = /dev/ttyUSB0:9600 /dev/ttyAMA0\n",
      "launcher.conf");
  ASSERT_TRUE(conf.has_value()) << conf.error().what;
  EXPECT_EQ(conf->agent_uid, 990u);
  EXPECT_EQ(conf->bridge, "br7");
  EXPECT_EQ(to_string(conf->subnet), "10.1.2.0/24");
  EXPECT_EQ(to_string(conf->gateway()), "10.1.2.1");
  EXPECT_EQ(conf->host_bridges.size(), 2u);
  ASSERT_EQ(conf->bypasses.size(), 1u);
  EXPECT_EQ(conf->bypasses[0], bridge_pair("br-wan", "br-lan"));
  EXPECT_EQ(conf->bypasses[0], bridge_pair("br-lan", "br-wan")) << "in either order";
  EXPECT_FALSE(conf->allow_kvm);
  ASSERT_EQ(conf->serial_lines.size(), 2u);
  EXPECT_EQ(conf->serial_lines[0].path, "/dev/ttyUSB0");
  EXPECT_EQ(conf->serial_lines[0].baud, 9600u);
  EXPECT_EQ(conf->serial_lines[1].baud, 115200u);
  EXPECT_TRUE(conf->may_publish(53));
  EXPECT_TRUE(conf->may_publish(8100));
  EXPECT_FALSE(conf->may_publish(8080));
  EXPECT_FALSE(conf->may_publish(54));
  const std::vector<PortRange> refused = conf->refused_ports();
  ASSERT_EQ(refused.size(), 4u);
  EXPECT_EQ(refused[0], (PortRange{1, 52}));
  EXPECT_EQ(refused[3], (PortRange{8101, 65535}));
}

TEST(Conf, AWrongLineIsNamedWithItsNumber) {
  struct Case {
    const char* text;
    const char* words;
  };
  const Case cases[] = {
      {"agent_uid = 1\nbrige = x\n", "conf:2: brige: unknown key"},
      {"agent_uid 1\n", "conf:1: write key = value"},
      {"agent_uid = 1\n\nagent_uid = 2\n", "conf:3: agent_uid is set twice"},
      {"agent_uid = -1\n", "conf:1: agent_uid"},
      {"agent_uid = 1\nsubnet = 10.0.0.1/24\n", "write 10.0.0.0/24"},
      {"agent_uid = 1\nsubnet = 10.0.0.0/8\n", "16 to 29"},
      {"agent_uid = 1\nsubnet = 10.0.0.0\n", "A.B.C.D/N"},
      {"agent_uid = 1\nallow_kvm = maybe\n", "yes or no"},
      {"agent_uid = 1\ndenied_ports = 80-22\n", "80 to 65535"},
      {"agent_uid = 1\ndenied_ports = 0\n", "1 to 65535"},
      {"agent_uid = 1\nsocket = run/x\n", "absolute path"},
      {"agent_uid = 1\nqemu = /usr/../etc/x\n", "absolute path"},
      {"agent_uid = 1\nqemu = /opt/qemu\n", "below /usr"},
      {"agent_uid = 1\ntap_prefix = toolong\n", "at most 6"},
      {"agent_uid = 1\nuid_first = 0\n", "1000 to"},
      {"agent_uid = 1\nserial_lines = /etc/shadow\n", "below /dev"},
      {"agent_uid = 1\nserial_lines = ttyUSB0\n", "absolute path"},
      {"agent_uid = 1\nserial_lines = /dev/ttyUSB0:9601\n", "no speed"},
      {"agent_uid = 1\nserial_lines = /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a"
       " /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a /dev/a\n", "more than 16 lines"},
      {"agent_uid = 1\nhost_bridges = fleet0\n", "managed bridge"},
      {"agent_uid = 1\nbypasses = a:b\n", "a is not one of host_bridges"},
      {"agent_uid = 1\nhost_bridges = a b\nbypasses = a\n", "two bridges with : between"},
      {"agent_uid = 1\nhost_bridges = a b\nbypasses = a:a\n", "joined to itself"},
      {"agent_uid = 1\nhost_bridges = a b\nbypasses = a:b:a\n", "letters, digits"},
      {"agent_uid = 1\nbridge = a/b\n", "letters, digits"},
      {"bridge = x\n", "agent_user or agent_uid is missing"},
      {"agent_uid = 1\nagent_user = x\n", "agent_user or agent_uid"},
  };
  for (const Case& one : cases) {
    const auto conf = parse_conf(one.text, "conf");
    ASSERT_FALSE(conf.has_value()) << one.text;
    EXPECT_EQ(conf.error().code, proto::Code::bad_argument);
    EXPECT_NE(conf.error().what.find(one.words), std::string::npos) << conf.error().what;
  }
}

TEST(Conf, TheShippedExampleIsAccepted) {
  std::ifstream file(FLEET_SOURCE_DIR "/deploy/systemd/launcher.conf");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(text.empty());
  const auto conf = parse_conf(text, "launcher.conf");
  ASSERT_TRUE(conf.has_value()) << conf.error().what;
  // Its commented lines show the defaults: with all of them taken in, it still parses.
  std::string all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.rfind("#", 0) == 0 && line.rfind("# ", 0) != 0) line.erase(0, 1);
    if (line != "agent_uid = 990" && line != "host_bridges =") all += line + "\n";
    at = end + 1;
  }
  const auto full = parse_conf(all, "launcher.conf");
  ASSERT_TRUE(full.has_value()) << full.error().what;
  EXPECT_EQ(full->tap_prefix, Conf{}.tap_prefix);
  EXPECT_EQ(full->subnet, Conf{}.subnet);
  EXPECT_EQ(full->memory_max_mib, Conf{}.memory_max_mib);
}

TEST(Conf, AFileThatOthersMayWriteIsRefused) {
  char name[] = "/tmp/launcher-conf.XXXXXX";
  const int fd = ::mkstemp(name);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, "agent_uid = 1\n", 14), 14);
  ASSERT_EQ(::fchmod(fd, 0664), 0);
  ::close(fd);
  const auto conf = load_conf(name);
  ASSERT_FALSE(conf.has_value());
  EXPECT_EQ(conf.error().code, proto::Code::forbidden);
  ::unlink(name);
  EXPECT_EQ(load_conf(name).error().code, proto::Code::not_found);
}

}  // namespace
}  // namespace launcher
