#include "tests/unit/images_firewall/world.h"

#include <cstdio>
#include <cstdlib>

namespace images::firewall {

World::World(std::string text, std::size_t flows, std::uint64_t adopt_until_ms)
    : rules_text(std::move(text)) {
  const std::string_view names[] = {"wan", "lan"};
  static constexpr std::string_view kAddressed[] = {"", "", "mgmt"};
  const RulesFault fault = parse_rules(rules_text, {names, kAddressed}, arena, rules);
  if (fault.failed()) {
    std::fprintf(stderr, "line %u: %s\n", fault.line, fault.what);
    std::abort();
  }
  FirewallOptions options;
  options.flows = flows;
  options.datagrams = 16;
  options.adopt_until_ms = adopt_until_ms;
  const HashKey key{1, 2};
  if (!firewall.create(options, rules, key, arena)) std::abort();
  if (!bridge.create(firewall, 64, key, arena)) std::abort();
}

std::vector<Frame> World::early() {
  std::vector<Frame> out;
  for (auto one = firewall.next_early(); !one.bytes.empty(); one = firewall.next_early()) {
    const Outcome outcome = bridge.judge(one.bytes, one.port, 1 - one.port, now_ms);
    if (is_forwarded(outcome.reason)) out.emplace_back(one.bytes.begin(), one.bytes.end());
  }
  return out;
}

}  // namespace images::firewall
