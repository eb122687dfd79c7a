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
  PortNames forwarded;  // what chain forward may name
  PortNames addressed;  // and what chain input
};

/// One value of a field that is not wide. nullptr: well; else what is wrong with the word.
const char* parse_value(Field field, std::string_view word, PortNames ports, Range& out);

/// One IPv6 address, prefix or range.
const char* parse_wide_value(std::string_view word, WideRange& out);

/// The field that two words name: "tcp" "dport" -> Field::tcp_target. False: none.
bool find_field(std::string_view header, std::string_view name, Field& out);
/// True if matches begin with this word and a second one follows it.
bool is_header(std::string_view word);

}  // namespace images::firewall
