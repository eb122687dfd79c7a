// What a rule compares with, from its words: numbers, names, addresses, and ranges of them.
#pragma once

#include <span>
#include <string_view>

#include "images/firewall/rules.h"

namespace images::firewall {

/// The ports that rules may name, by their number; an empty name is no such port.
using PortNames = std::span<const std::string_view>;

/// The interfaces by what happens to their frames.
struct RulePorts {
  PortNames forwarded;     // what all chains but input may name
  PortNames addressed;     // and what chain input
  bool is_routed = false;  // what is forwarded has addresses to translate to
};

/// One value of a field that is not wide. nullptr: well; else what is wrong with the word.
const char* parse_value(Field field, std::string_view word, PortNames ports, Range& out);

/// One IPv6 address, prefix or range.
const char* parse_wide_value(std::string_view word, WideRange& out);

/// The code of a "destination unreachable", for the words behind `reject with`: icmp, icmpv6, or
/// icmpx, which sets both. False: no such word.
bool find_reject_code(std::string_view family, std::string_view word, Rejection& out);

/// A[:PORT[-PORT]] or, with `allows_bare_ports`, :PORT[-PORT]. nullptr: well; else what is wrong.
const char* parse_nat_target(std::string_view word, bool allows_bare_ports, NatTarget& out);

/// The field that two words name: "tcp" "dport" -> Field::tcp_target. False: none.
bool find_field(std::string_view header, std::string_view name, Field& out);
/// True if matches begin with this word and a second one follows it.
bool is_header(std::string_view word);

}  // namespace images::firewall
