// The rules file -> RuleSet. The language is a part of nftables', without tables: README.md beside
// this file has its grammar. Pure; memory is bounded by the limits below, whatever the file says.
#pragma once

#include <string_view>

#include "images/firewall/rule_scanner.h"
#include "images/firewall/rule_values.h"
#include "images/firewall/rules.h"
#include "images/runtime/arena.h"

namespace images::firewall {

inline constexpr std::string_view kRulesPath = "/rules";  // in the guest
inline constexpr std::size_t kMaxRules = 4096;
inline constexpr std::size_t kMaxSteps = 16384;
inline constexpr std::size_t kMaxRanges = 65536;
inline constexpr std::size_t kMaxWideRanges = 16384;
inline constexpr std::size_t kMaxLimits = 256;
inline constexpr std::size_t kMaxCounters = 1024;
inline constexpr std::size_t kMaxTargets = 256;  // of dnat, snat and masquerade
inline constexpr std::size_t kMaxNames = 256;  // defines and sets, each

/// Read all of it. `out` points into the arena (about 2 MiB of it) and into the text, which outlive
/// it; on a fault it must not be used.
/// errors  anything that is not understood, by line and word | more than the limits above |
///         no chain forward | too little memory
[[nodiscard]] RulesFault parse_rules(std::string_view text, const RulePorts& ports,
                                     runtime::Arena& memory, RuleSet& out);

}  // namespace images::firewall
