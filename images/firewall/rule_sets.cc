#include "images/firewall/rule_sets.h"

#include <algorithm>

namespace images::firewall {
namespace {

bool is_name(const Token& token) {
  return token.kind == TokenKind::word && token.text.find_first_of("$@./:") == token.text.npos;
}

bool is_mark(const Token& token, std::string_view text) {
  return token.kind == TokenKind::mark && token.text == text;
}

Token skip_lines(RuleScanner& scanner) {
  Token token = scanner.next();
  while (token.kind == TokenKind::line) token = scanner.next();
  return token;
}

/// The type of a set that holds values of that field; empty: no set can.
std::string_view type_of(Field field) {
  switch (field) {
    case Field::source4:
    case Field::target4: return "ipv4_addr";
    case Field::source6:
    case Field::target6: return "ipv6_addr";
    case Field::tcp_source:
    case Field::tcp_target:
    case Field::udp_source:
    case Field::udp_target: return "inet_service";
    default: return {};
  }
}

bool field_of_type(std::string_view type, Field& out) {
  for (const Field field : {Field::source4, Field::source6, Field::tcp_target}) {
    out = field;
    if (type_of(field) == type) return true;
  }
  return false;
}

}  // namespace

RulesFault fault_at(const Token& token, const char* what) {
  const bool has_word = token.kind != TokenKind::line && token.kind != TokenKind::end;
  return {what, has_word ? token.text : std::string_view{}, token.line};
}

std::size_t RuleSets::value_count(Field field) const {
  return is_wide(field) ? store_.wide_ranges.size() : store_.ranges.size();
}

RulesFault RuleSets::add_value(const Token& token, Field field, std::size_t visible) {
  if (token.kind != TokenKind::word && token.kind != TokenKind::text) {
    return fault_at(token, "a value is missing here");
  }
  if (token.kind == TokenKind::word && token.text.starts_with('$')) {
    return add_defined(token, field, visible);
  }
  Range range;
  WideRange wide_range;
  const char* what = is_wide(field) ? parse_wide_value(token.text, wide_range)
                                    : parse_value(field, token.text, ports_, range);
  if (what != nullptr) return fault_at(token, what);
  const bool added = is_wide(field) ? store_.wide_ranges.add(wide_range) : store_.ranges.add(range);
  return added ? RulesFault{} : fault_at(token, "more values than fit");
}

RulesFault RuleSets::add_defined(const Token& token, Field field, std::size_t visible) {
  const std::string_view name = token.text.substr(1);
  for (std::size_t i = visible; i > 0; --i) {
    const Define& define = defines_[i - 1];
    if (define.name != name) continue;
    // Defines of defines of defines can name more values than there is time for.
    if (++expanded_ > kMaxRanges) return fault_at(token, "defines within defines: too many");
    RuleScanner value = define.value;
    const RulesFault fault = add_values(value, field, i - 1);  // sees only what stood before it
    return fault.failed() ? RulesFault{fault.what, fault.word, token.line} : fault;
  }
  return fault_at(token, "nothing of that name was defined before");
}

RulesFault RuleSets::add_list(RuleScanner& scanner, Field field, std::size_t visible) {
  for (;;) {
    const Token value = skip_lines(scanner);
    if (is_mark(value, "}")) return {};  // also behind a last comma
    const RulesFault fault = add_value(value, field, visible);
    if (fault.failed()) return fault;
    const Token behind = skip_lines(scanner);
    if (is_mark(behind, "}")) return {};
    if (!is_mark(behind, ",")) return fault_at(behind, "a list goes on with , or ends with }");
  }
}

RulesFault RuleSets::add_values(RuleScanner& scanner, Field field, std::size_t visible) {
  const Token token = scanner.next();
  if (is_mark(token, "{")) return add_list(scanner, field, visible);
  RulesFault fault = add_value(token, field, visible);
  // `ct state new,established`: only states, as in nftables.
  while (!fault.failed() && field == Field::flow_state && is_mark(scanner.peek(), ",")) {
    scanner.next();
    fault = add_value(scanner.next(), field, visible);
  }
  return fault;
}

/// Sorts what was added since `begin` and melts what overlaps.
template <typename List>
ValueSet RuleSets::close(List& list, std::size_t begin) {
  const auto values = list.items().subspan(begin);
  std::sort(values.begin(), values.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const auto& value : values) {
    if (kept > 0 && !(values[kept - 1].last < value.first)) {
      values[kept - 1].last = std::max(values[kept - 1].last, value.last);
    } else {
      values[kept++] = value;
    }
  }
  list.cut_to(begin + kept);
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(kept)};
}

ValueSet RuleSets::close_values(Field field, std::size_t begin) {
  return is_wide(field) ? close(store_.wide_ranges, begin) : close(store_.ranges, begin);
}

RulesFault RuleSets::take_values(RuleScanner& scanner, Field field, ValueSet& out) {
  const Token first = scanner.peek();
  if (first.kind == TokenKind::word && first.text.starts_with('@')) {
    scanner.next();
    return use_set(first, field, out);
  }
  expanded_ = 0;
  const std::size_t begin = value_count(field);
  const RulesFault fault = add_values(scanner, field, define_count_);
  if (fault.failed()) return fault;
  out = close_values(field, begin);
  return out.count > 0 ? RulesFault{} : fault_at(first, "a list without a value");
}

RulesFault RuleSets::use_set(const Token& token, Field field, ValueSet& out) const {
  const auto end = sets_.begin() + static_cast<std::ptrdiff_t>(set_count_);
  const auto set = std::find_if(sets_.begin(), end, [&](const NamedSet& one) {
    return one.name == token.text.substr(1);
  });
  if (set == end) return fault_at(token, "no set of that name stands before");
  if (set->type != type_of(field)) return fault_at(token, "a set of another type");
  out = set->values;
  return {};
}

RulesFault RuleSets::take_define(RuleScanner& scanner) {
  const Token name = scanner.next();
  if (!is_name(name)) return fault_at(name, "define NAME = VALUE: this is no name");
  if (define_count_ == defines_.size()) return fault_at(name, "more defines than fit");
  const Token equals = scanner.next();
  if (!is_mark(equals, "=")) return fault_at(equals, "define NAME = VALUE: no = here");
  Define& define = defines_[define_count_];
  define = {name.text, scanner};
  Token token = scanner.next();
  const bool is_list = is_mark(token, "{");
  while (is_list && !is_mark(token, "}")) {
    token = skip_lines(scanner);
    if (token.kind == TokenKind::end || token.kind == TokenKind::broken) {
      return fault_at(name, "a list without its }");
    }
  }
  const bool is_value = token.kind == TokenKind::word || token.kind == TokenKind::text;
  if (!is_list && !is_value) return fault_at(token, "define NAME = VALUE: no value here");
  ++define_count_;
  return {};
}

RulesFault RuleSets::take_set(RuleScanner& scanner) {
  const Token name = scanner.next();
  if (!is_name(name)) return fault_at(name, "set NAME { ... }: this is no name");
  if (set_count_ == sets_.size()) return fault_at(name, "more sets than fit");
  const Token open = scanner.next();
  if (!is_mark(open, "{")) return fault_at(open, "set NAME { ... }: no { here");
  NamedSet& set = sets_[set_count_];
  set = {name.text, {}, {}};
  for (;;) {
    const Token word = skip_lines(scanner);
    if (is_mark(word, "}")) break;
    const RulesFault fault = take_set_part(scanner, word, set);
    if (fault.failed()) return fault;
  }
  if (set.type.empty()) return fault_at(name, "a set without a type");
  ++set_count_;
  return {};
}

RulesFault RuleSets::take_set_part(RuleScanner& scanner, const Token& word, NamedSet& set) {
  Field field = Field::source4;
  if (word.text == "type") {
    const Token type = scanner.next();
    if (!field_of_type(type.text, field)) {
      return fault_at(type, "not a set's type: ipv4_addr, ipv6_addr or inet_service");
    }
    set.type = type.text;
    return {};
  }
  if (word.text == "flags") {
    const Token flag = scanner.next();
    const bool known = flag.text == "interval" || flag.text == "constant";
    return known ? RulesFault{} : fault_at(flag, "not a set's flag: interval or constant");
  }
  if (word.text != "elements") return fault_at(word, "a set has type, flags and elements");
  if (!field_of_type(set.type, field)) return fault_at(word, "a set's type stands first");
  const Token equals = scanner.next();
  if (!is_mark(equals, "=")) return fault_at(equals, "elements = { ... }: no = here");
  return take_values(scanner, field, set.values);
}

}  // namespace images::firewall
