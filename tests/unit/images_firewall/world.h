// A firewall with rules between the ports 0 ("wan") and 1 ("lan"), and a clock that tests turn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "images/firewall/bridge.h"
#include "images/firewall/rule_parser.h"
#include "tests/unit/images_firewall/frames.h"

namespace images::firewall {

inline constexpr std::size_t kWan = 0;
inline constexpr std::size_t kLan = 1;

struct World {
  /// Aborts the test if the rules cannot be read. `flows`: room in the table.
  explicit World(std::string text, std::size_t flows = 64, std::uint64_t adopt_until_ms = 0);

  Outcome from_lan(const Frame& frame) { return bridge.judge(frame, kLan, kWan, now_ms); }
  Outcome from_wan(const Frame& frame) { return bridge.judge(turned(frame), kWan, kLan, now_ms); }
  /// Those that waited and go through now.
  std::vector<Frame> early();
  /// True if a frame from there goes through.
  bool lan(const Frame& frame) { return is_forwarded(from_lan(frame).reason); }
  bool wan(const Frame& frame) { return is_forwarded(from_wan(frame).reason); }

  std::string rules_text;
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(8 << 20);
  runtime::Arena arena{memory};
  RuleSet rules;
  Firewall firewall;
  Bridge bridge;
  std::uint64_t now_ms = 1000;
};

}  // namespace images::firewall
