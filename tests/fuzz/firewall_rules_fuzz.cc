// Rules files of any content: rules by which every frame can be judged, or a fault with a line;
// never more memory than they were given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "images/firewall/packet.h"
#include "tests/unit/images_firewall/world.h"

namespace {

using namespace images::firewall;

const std::vector<Frame>& frames() {
  static const std::vector<Frame> all = {
      ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kTcp, 1, 0, {}}, tcp({1000, 80, kTcpSyn}))),
      ether(kEtherIp6, ip6("2001:db8::1", "2001:db8::2", kUdp, udp(999, 53))),
      ether(kEtherIp4, ip4({"10.0.0.1", "192.0.2.7", kIcmp, 1, 0, {}}, icmp(8, 0, 1))),
      ether(kEtherArp, Frame(28)), ether(kEtherVlan, Frame(46)), ether(46, Frame(46))};
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::vector<std::uint8_t> memory(6 << 20);
  images::runtime::Arena arena(memory);
  const std::string_view names[] = {"wan", "lan"};
  RuleSet rules;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const RulesFault fault = parse_rules(text, {names, names, true}, arena, rules);
  if (fault.failed()) {
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    if (fault.line == 0 || fault.line > lines) std::abort();
    return 0;
  }
  for (const Range& range : rules.ranges) {
    if (range.first > range.last) std::abort();
  }
  Firewall firewall;
  if (!firewall.create({16, 4, 0, 1000, 4}, rules, {1, 2}, arena)) std::abort();
  Bridge bridge;
  if (!bridge.create(firewall, 4, {1, 2}, arena)) std::abort();
  for (const Frame& frame : frames()) {
    firewall.admit(frame, kLan, 1);
    const Outcome outcome = bridge.judge(frame, kLan, kWan, 1);
    const bool by_policy = is_forwarded(outcome.reason) && outcome.line == 0;
    if (by_policy && rules.forward.policy == Verdict::drop) {
      std::abort();
    }
  }
  return 0;
}
