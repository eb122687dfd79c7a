// Writes the corpus of firewall_frames_fuzz: firewall_corpus FOLDER. Run again when the frames of a
// conversation should change.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "images/firewall/packet.h"
#include "tests/unit/images_firewall/frames.h"

namespace {

using namespace images::firewall;

constexpr std::uint8_t kFromLan = 1;

void add(std::string& out, const Frame& frame, bool from_lan) {
  const Frame sent = from_lan ? frame : turned(frame);
  out += static_cast<char>(sent.size() >> 8);
  out += static_cast<char>(sent.size());
  out += static_cast<char>(from_lan ? kFromLan : 0);
  out.append(sent.begin(), sent.end());
}

Frame there(std::uint8_t protocol, const Frame& payload) {
  return ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", protocol, 1, 0, {}}, payload));
}
Frame back(std::uint8_t protocol, const Frame& payload) {
  return ether(kEtherIp4, ip4({"192.0.2.7", "10.0.0.1", protocol, 1, 0, {}}, payload));
}

std::string connection() {
  std::string out;
  add(out, there(kTcp, tcp({1000, 80, kTcpSyn, 100, 0, 1000, 0, 7})), true);
  add(out, back(kTcp, tcp({80, 1000, kTcpSyn | kTcpAck, 500, 101, 1000, 0, 7})), false);
  add(out, there(kTcp, tcp({1000, 80, kTcpAck, 101, 501, 1000, 9})), true);
  add(out, back(kTcp, tcp({80, 1000, kTcpAck | kTcpFin, 501, 110})), false);
  add(out, there(kTcp, tcp({1000, 80, kTcpRst, 110, 0})), true);
  return out;
}

std::string questions() {
  std::string out;
  const Frame asked = ip4({"10.0.0.1", "192.0.2.7", kUdp, 1, 0, {}}, udp(1000, 53));
  add(out, ether(kEtherIp4, asked), true);
  add(out, back(kUdp, udp(53, 1000)), false);
  add(out, back(kIcmp, icmp(3, 1, 0, asked)), false);
  add(out, there(kIcmp, icmp(8, 0, 7)), true);
  add(out, back(kIcmp, icmp(0, 0, 7)), false);
  return out;
}

std::string pieces(bool first_last) {
  std::string out;
  const Ip4 header{"10.0.0.1", "192.0.2.7", kUdp, 9, 0, {}};
  std::vector<Frame> frames = pieces4(header, udp(1000, 53, 200), 64);
  if (first_last) std::reverse(frames.begin(), frames.end());
  for (const Frame& piece : frames) add(out, piece, true);
  return out;
}

std::string six() {
  std::string out;
  const Frame asked = ip6("2001:db8::1", "2001:db8::2", kUdp, udp(1000, 53));
  add(out, ether(kEtherIp6, asked), true);
  add(out, ether(kEtherIp6, ip6("2001:db8::9", "2001:db8::1", kIcmp6, icmp(1, 0, 0, asked))),
      false);
  const Frame options = join(extension(60), join(extension(kTcp), tcp({1, 2, kTcpSyn})));
  add(out, ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", 0, options)), true);
  add(out, ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", 44,
                                join(fragment6(kUdp, 0, true, 1), udp(1, 2, 8)))), true);
  add(out, ether(kEtherVlan, Frame(46)), true);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: firewall_corpus FOLDER\n");
    return 2;
  }
  int number = 0;
  for (const std::string& bytes : {connection(), questions(), pieces(false), six(),
                                   pieces(true)}) {
    const std::filesystem::path place(argv[1]);
    std::ofstream(place / std::to_string(number++), std::ios::binary) << bytes;
  }
  return 0;
}
