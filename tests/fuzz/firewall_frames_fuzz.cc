// Hostile frames to the firewall, many in a row: each is two bytes of length, one that says the
// side and the time until it comes, and its bytes. Whatever they are, the table stays within its
// room, what is malformed stays outside, and nothing comes in that nobody inside asked for.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tests/unit/images_firewall/world.h"

namespace {

using namespace images::firewall;

constexpr char kRules[] =
    "define inside = 10.0.0.0/8\n"
    "chain forward {\n"
    "  ct state invalid drop\n"
    "  ct state established,related accept\n"
    "  iif lan ip saddr $inside accept\n"
    "  iif lan ip6 saddr 2001:db8::/32 log prefix \"six\" accept\n"
    "}\n";

// Counters and limits go on from one input to the next; flows do not.
RuleSet& rules() {
  static World world(kRules);
  return world.rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::vector<std::uint8_t> memory(1 << 16);
  images::runtime::Arena arena(memory);
  Firewall firewall;
  if (!firewall.create({16, 4, 0, 1000, 4}, rules(), {1, 2}, arena)) std::abort();
  Bridge bridge;
  if (!bridge.create(firewall, 4, {1, 2}, arena)) std::abort();
  std::uint64_t now_ms = 1;
  std::uint64_t opened = 0;
  while (size >= 3) {
    const auto told = static_cast<std::size_t>(data[0] << 8 | data[1]);
    const std::size_t length = std::min(told, size - 3);
    const bool from_lan = (data[2] & 1) != 0;
    now_ms += std::uint64_t{1} << (data[2] >> 3);
    const std::vector<std::uint8_t> came(data + 3, data + 3 + length);
    data += 3 + length;
    size -= 3 + length;
    std::size_t port = from_lan ? kLan : kWan;
    Bytes frame = came;
    while (!frame.empty()) {
      const Outcome outcome = bridge.judge(frame, port, port == kLan ? kWan : kLan, now_ms);
      if (firewall.flows().size() > firewall.flows().capacity()) std::abort();
      Packet packet;
      if (is_forwarded(outcome.reason) && read_packet(frame, packet) != Malformed::no) std::abort();
      const EarlyPieces::Frame early = firewall.next_early();
      port = early.port;
      frame = early.bytes;
    }
    const std::uint64_t now_opened = firewall.flows().counts().opened;
    if (!from_lan && now_opened != opened) std::abort();
    opened = now_opened;
  }
  return 0;
}
