// Hostile frames to the firewall as a router, as firewall_frames_fuzz has them. Whatever they are,
// what is sent is sound, nothing leaves by wan in the name of an address of lan, nothing but the
// forwarded port comes in that nobody inside asked for, and memory stays within its room.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "images/firewall/router.h"
#include "tests/unit/images_firewall/router_world.h"

namespace {

using namespace images::firewall;

constexpr char kRules[] =
    "chain prerouting {\n"
    "  iif wan tcp dport 80 dnat to 10.0.0.9:8080\n"
    "}\n"
    "chain postrouting {\n"
    "  oif wan masquerade\n"
    "}\n"
    "chain forward {\n"
    "  ct state invalid reject\n"
    "  ct state established,related accept\n"
    "  iif lan tcp dport 666 reject with tcp reset\n"
    "  iif lan accept\n"
    "  iif wan ip daddr 10.0.0.9 tcp dport 8080 accept\n"
    "}\n";
constexpr std::uint8_t kHome = 10;  // 10.0.0.0/24

// Counters and limits go on from one input to the next; flows do not.
RuleSet& rules() {
  static RouterWorld world(kRules);
  return world.rules;
}

RouterPorts make_ports() {
  RouterPorts ports{};
  ports[kWan] = {true, false, {2, 0, 0, 0, 0, kWanStation}, 600, true, address4("192.0.2.1"), 24,
                 true, address4("192.0.2.254"), true, address6("2001:db8:2::1"), true,
                 address6("2001:db8:2::254")};
  ports[kLan] = {true, false, {2, 0, 0, 0, 0, kLanStation}, 1500, true, address4("10.0.0.254"), 24,
                 false, {}, true, address6("2001:db8::fe"), false, {}};
  return ports;
}

void check_sent(void*, std::size_t port, Bytes frame) {
  Packet packet;
  if (port != kWan && port != kLan) std::abort();
  if (frame.size() > 14 + 1500 || read_packet(frame, packet) != Malformed::no) std::abort();
  if (!packet.is_ip) {
    if (packet.ether_type != kEtherArp) std::abort();
    return;
  }
  if (packet.checksum_fails || packet.hops == 0) std::abort();
  if (packet.tuple.is_ip6) return;
  // The server may also be reached by its own address.
  const Address& source = packet.tuple.source;
  if (port == kWan && source[0] == kHome && source != address4("10.0.0.9")) std::abort();
  if (port == kLan && packet.tuple.target[0] != kHome) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::vector<std::uint8_t> memory(1 << 20);
  images::runtime::Arena arena(memory);
  Firewall firewall;
  Router router;
  if (!firewall.create({16, 4, 0, 1000, 4}, rules(), {1, 2}, arena)) std::abort();
  if (!router.create(firewall, make_ports(), {}, {nullptr, check_sent}, {1, 2}, arena)) {
    std::abort();
  }
  std::uint64_t now_ms = 1;
  while (size >= 3) {
    const auto told = static_cast<std::size_t>(data[0] << 8 | data[1]);
    const std::size_t length = std::min({told, size - 3, std::size_t{1514}});
    const std::size_t port = (data[2] & 1) != 0 ? kLan : kWan;
    now_ms += std::uint64_t{1} << (data[2] >> 3);
    if ((data[2] & 2) != 0) router.tick(now_ms);
    std::vector<std::uint8_t> frame(data + 3, data + 3 + length);
    // A frame for another station is of no interest.
    if (frame.size() > 6 && (frame[0] & 1) == 0) {
      const Mac mac{2, 0, 0, 0, 0, port == kLan ? kLanStation : kWanStation};
      std::copy(mac.begin(), mac.end(), frame.begin());
    }
    data += 3 + length;
    size -= 3 + length;
    EarlyPieces::Frame taken{port, frame};
    while (!taken.bytes.empty()) {
      router.take(taken.port, taken.bytes, now_ms);
      taken = firewall.next_early();
    }
    if (firewall.flows().size() > firewall.flows().capacity()) std::abort();
  }
  return 0;
}
