// The values of matches: single ones, lists in braces, `define`d ones ($name) and sets (@name).
#pragma once

#include <array>
#include <string_view>

#include "images/firewall/rule_scanner.h"
#include "images/firewall/rule_store.h"
#include "images/firewall/rule_values.h"

namespace images::firewall {

class RuleSets {
 public:
  explicit RuleSets(RuleStore& store) : store_(store) {}

  /// What `iif` and `oif` may name from here on.
  void use_ports(PortNames ports) { ports_ = ports; }

  /// Behind the word `define` or `set`.
  RulesFault take_define(RuleScanner& scanner);
  RulesFault take_set(RuleScanner& scanner);

  /// What a match of that field compares with.
  RulesFault take_values(RuleScanner& scanner, Field field, ValueSet& out);

 private:
  // What a set's type allows: a field that takes such values.
  struct NamedSet {
    std::string_view name;
    std::string_view type;
    ValueSet values;
  };
  // A define is text until it is used: only then its type is known.
  struct Define {
    std::string_view name;
    RuleScanner value{""};
  };

  RulesFault add_value(const Token& token, Field field, std::size_t visible);
  RulesFault add_values(RuleScanner& scanner, Field field, std::size_t visible);
  RulesFault add_list(RuleScanner& scanner, Field field, std::size_t visible);
  RulesFault add_defined(const Token& token, Field field, std::size_t visible);
  RulesFault use_set(const Token& token, Field field, ValueSet& out) const;
  RulesFault take_set_part(RuleScanner& scanner, const Token& word, NamedSet& set);
  template <typename List>
  ValueSet close(List& list, std::size_t begin);
  ValueSet close_values(Field field, std::size_t begin);
  std::size_t value_count(Field field) const;

  RuleStore& store_;
  PortNames ports_;
  std::array<Define, kMaxNames> defines_;
  std::array<NamedSet, kMaxNames> sets_;
  std::size_t define_count_ = 0;
  std::size_t set_count_ = 0;
  std::size_t expanded_ = 0;  // values that defines gave to the list that is being read
};

RulesFault fault_at(const Token& token, const char* what);

}  // namespace images::firewall
