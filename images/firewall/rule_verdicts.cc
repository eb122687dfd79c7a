#include "images/firewall/rule_verdicts.h"

#include <algorithm>

#include "images/firewall/rule_sets.h"
#include "images/firewall/rule_values.h"

namespace images::firewall {
namespace {

bool is_word(const Token& token, std::string_view text) {
  return token.kind == TokenKind::word && token.text == text;
}

/// A match that a verdict brings along, as in nftables.
RulesFault imply(const Token& word, RuleStore& store, Field field, std::uint32_t value) {
  Step step;
  step.match.field = field;
  step.match.values = {static_cast<std::uint32_t>(store.ranges.size()), 1};
  const bool fits = store.ranges.add({value, value}) && store.steps.add(step);
  return fits ? RulesFault{} : fault_at(word, "more statements than fit");
}

bool is_port_protocol(const Range& range) {
  return range.first == range.last && (range.first == kTcp || range.first == kUdp);
}

/// True if the rule's matches leave only packets that have ports.
bool names_a_port_protocol(const Rule& rule, const RuleStore& store) {
  const auto steps = store.steps.items().subspan(rule.first_step);
  return std::any_of(steps.begin(), steps.end(), [&](const Step& step) {
    if (step.kind != StepKind::match) return false;
    const Match& match = step.match;
    const Field field = match.field;
    if (field >= Field::tcp_source && field <= Field::udp_target) return true;
    if (field != Field::protocol && field != Field::protocol4) return false;
    const auto values = store.ranges.items().subspan(match.values.first, match.values.count);
    return !match.is_negated && std::all_of(values.begin(), values.end(), is_port_protocol);
  });
}

RulesFault take_target(RuleScanner& scanner, const Token& word, const RuleStore& store,
                       const Rule& rule, NatTarget& out) {
  if (!is_word(scanner.next(), "to")) {
    return fault_at(word, "dnat to A:P, snat to A or masquerade: no `to` here");
  }
  const Token text = scanner.next();
  const bool is_masquerade = word.text == "masquerade";
  const char* fault = parse_nat_target(text.text, is_masquerade, out);
  if (fault != nullptr) return fault_at(text, fault);
  if (is_masquerade && out.has_address) return fault_at(text, "masquerade to :PORT-PORT alone");
  if (rule.verdict == Verdict::dnat && out.first_port != out.last_port) {
    return fault_at(text, "dnat goes to one port");
  }
  const bool is_sure = !out.has_ports || names_a_port_protocol(rule, store);
  return is_sure ? RulesFault{} : fault_at(text, "a port only behind a match of tcp or udp");
}

}  // namespace

Verdict verdict_of(std::string_view word) {
  if (word == "accept") return Verdict::accept;
  if (word == "drop") return Verdict::drop;
  if (word == "reject") return Verdict::reject;
  if (word == "dnat") return Verdict::dnat;
  return word == "snat" || word == "masquerade" ? Verdict::snat : Verdict::next;
}

RulesFault take_reject(RuleScanner& scanner, const Token& word, RuleStore& store, Rule& rule) {
  if (!is_word(scanner.peek(), "with")) return {};
  scanner.next();
  const Token family = scanner.next();
  Token code = scanner.next();
  if (is_word(family, "tcp")) {
    if (!is_word(code, "reset")) return fault_at(code, "reject with tcp reset");
    rule.rejection.is_reset = true;
    return imply(word, store, Field::protocol, kTcp);
  }
  if (is_word(code, "type")) code = scanner.next();
  if (!find_reject_code(family.text, code.text, rule.rejection)) {
    return fault_at(code, "reject with tcp reset, icmp CODE, icmpv6 CODE or icmpx CODE");
  }
  if (is_word(family, "icmp")) return imply(word, store, Field::ether_type, kEtherIp4);
  if (is_word(family, "icmpv6")) return imply(word, store, Field::ether_type, kEtherIp6);
  return {};
}

RulesFault take_nat(RuleScanner& scanner, const Token& word, RuleStore& store, Rule& rule) {
  NatTarget target;
  const bool is_masquerade = word.text == "masquerade";
  if (is_word(scanner.peek(), "ip") && !is_masquerade) scanner.next();
  if (!is_masquerade || is_word(scanner.peek(), "to")) {
    const RulesFault fault = take_target(scanner, word, store, rule, target);
    if (fault.failed()) return fault;
  }
  const Token flag = scanner.peek();
  const bool is_random = is_word(flag, "random") || is_word(flag, "fully-random");
  if (is_random && rule.verdict == Verdict::snat) scanner.next();
  rule.target = static_cast<std::uint32_t>(store.targets.size());
  if (!store.targets.add(target)) return fault_at(word, "more translations than fit");
  return imply(word, store, Field::ether_type, kEtherIp4);
}

}  // namespace images::firewall
