#include "images/firewall/rule_parser.h"

#include <algorithm>

#include "images/firewall/rule_sets.h"
#include "images/firewall/rule_verdicts.h"
#include "images/runtime/address.h"

namespace images::firewall {
namespace {

constexpr std::uint32_t kMostPackets = 1'000'000;  // with a day's milliseconds below 2^63
constexpr std::uint32_t kMostBurst = 100'000;
constexpr std::uint32_t kUsualBurst = 5;  // nftables'
constexpr const char* kTranslateOnly =
    "prerouting has accept and dnat, postrouting accept, snat and masquerade: drop in forward";

class RuleParser {
 public:
  RuleParser(std::string_view text, const RulePorts& ports, RuleStore& store, RuleSets& sets)
      : scanner_(text), ports_(ports), store_(store), sets_(sets) {}

  RulesFault parse(RuleSet& out);

 private:
  RulesFault take_chain();
  RulesFault take_rules(Chain& chain, const Token& name);
  RulesFault take_policy(Chain& chain);
  RulesFault take_hook(std::string_view chain);
  RulesFault check_verdict(const Token& word) const;
  RulesFault take_verdict(const Token& word);
  RulesFault take_rule(Token token);
  RulesFault take_statement(const Token& word);
  RulesFault take_match(const Token& word);
  RulesFault take_limit(const Token& word);
  RulesFault take_log(const Token& word);
  RulesFault take_counter(const Token& word);
  RulesFault add_step(const Token& word, const Step& step);
  RulesFault end_of_line();
  /// The chain that is being read decides on addresses, not on whether a packet goes through.
  bool translates() const {
    return chain_ == &chains_.prerouting || chain_ == &chains_.postrouting;
  }

  RuleScanner scanner_;
  const RulePorts& ports_;
  RuleStore& store_;
  RuleSets& sets_;
  RuleSet chains_;
  Chain* chain_ = nullptr;  // that is being read
  Rule rule_;               // the same
};

bool is_mark(const Token& token, std::string_view text) {
  return token.kind == TokenKind::mark && token.text == text;
}

bool is_word(const Token& token, std::string_view text) {
  return token.kind == TokenKind::word && token.text == text;
}

RulesFault RuleParser::parse(RuleSet& out) {
  for (;;) {
    const Token token = scanner_.next();
    RulesFault fault;
    if (token.kind == TokenKind::end) break;
    if (token.kind == TokenKind::line) continue;
    if (is_word(token, "define")) {
      fault = sets_.take_define(scanner_);
    } else if (is_word(token, "set")) {
      fault = sets_.take_set(scanner_);
    } else if (is_word(token, "chain")) {
      fault = take_chain();
    } else {
      fault = fault_at(token, "a rules file holds define, set and chain");
    }
    if (!fault.failed()) fault = end_of_line();
    if (fault.failed()) return fault;
  }
  if (!chains_.forward.is_written) {
    return {"there is no chain forward", {}, scanner_.peek().line};
  }
  out = store_.finished(chains_);
  return {};
}

RulesFault RuleParser::end_of_line() {
  const Token token = scanner_.next();
  if (token.kind == TokenKind::line || token.kind == TokenKind::end) return {};
  return fault_at(token, "this belongs on a line of its own");
}

RulesFault RuleParser::take_chain() {
  const Token name = scanner_.next();
  chain_ = is_word(name, "forward")       ? &chains_.forward
           : is_word(name, "input")       ? &chains_.input
           : is_word(name, "prerouting")  ? &chains_.prerouting
           : is_word(name, "postrouting") ? &chains_.postrouting
                                          : nullptr;
  if (chain_ == nullptr) {
    return fault_at(name, "the chains are forward, input, prerouting and postrouting");
  }
  if (chain_->is_written) return fault_at(name, "a second chain of that name");
  if (translates() && !ports_.is_routed) {
    return fault_at(name, "a bridge translates no addresses: that needs interfaces with some");
  }
  chain_->is_written = true;
  if (translates()) chain_->policy = Verdict::accept;
  sets_.use_ports(chain_ == &chains_.input ? ports_.addressed : ports_.forwarded);
  const Token open = scanner_.next();
  if (!is_mark(open, "{")) return fault_at(open, "chain NAME { ... }: no { here");
  const std::size_t first = store_.rules.size();
  const RulesFault fault = take_rules(*chain_, name);
  chain_->rules = store_.rules.items().subspan(first);
  return fault;
}

RulesFault RuleParser::take_rules(Chain& chain, const Token& name) {
  for (;;) {
    const Token token = scanner_.next();
    RulesFault fault;
    if (is_mark(token, "}")) return {};
    if (token.kind == TokenKind::line) continue;
    if (token.kind == TokenKind::end) return fault_at(name, "the chain has no }");
    if (is_word(token, "policy")) {
      fault = take_policy(chain);
    } else if (is_word(token, "type")) {
      fault = take_hook(name.text);
    } else {
      fault = take_rule(token);
    }
    if (!fault.failed() && !is_mark(scanner_.peek(), "}")) fault = end_of_line();
    if (fault.failed()) return fault;
  }
}

RulesFault RuleParser::take_policy(Chain& chain) {
  const Token word = scanner_.next();
  if (!is_word(word, "drop") && !is_word(word, "accept")) {
    return fault_at(word, "policy drop or policy accept");
  }
  if (translates() && is_word(word, "drop")) return fault_at(word, kTranslateOnly);
  chain.policy = word.text == "drop" ? Verdict::drop : Verdict::accept;
  return {};
}

/// nftables' line "type filter hook forward priority 0": read, so that a chain can be shared.
RulesFault RuleParser::take_hook(std::string_view chain) {
  const std::string_view type = translates() ? "nat" : "filter";
  for (const std::string_view wanted : {type, std::string_view("hook"), chain,
                                        std::string_view("priority")}) {
    const Token word = scanner_.next();
    if (!is_word(word, wanted)) {
      return fault_at(word, translates()
                                ? "the only type here is: type nat hook CHAIN priority NUMBER"
                                : "the only type here is: type filter hook CHAIN priority NUMBER");
    }
  }
  constexpr std::string_view kNames[] = {"filter", "dstnat", "srcnat"};
  std::uint64_t number = 0;
  const Token priority = scanner_.next();
  std::string_view digits = priority.text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  const bool is_known = std::find(std::begin(kNames), std::end(kNames), priority.text) !=
                        std::end(kNames);
  const bool is_priority = is_known || runtime::parse_number(digits, 1000, number);
  return is_priority ? RulesFault{} : fault_at(priority, "not a priority of -1000..1000");
}

RulesFault RuleParser::take_rule(Token token) {
  rule_ = {};
  rule_.line = token.line;
  rule_.first_step = static_cast<std::uint32_t>(store_.steps.size());
  for (;;) {
    if (rule_.verdict != Verdict::next && !is_word(token, "comment")) {
      return fault_at(token, "nothing follows a verdict");
    }
    const RulesFault fault = take_statement(token);
    if (fault.failed()) return fault;
    const Token behind = scanner_.peek();
    if (behind.kind == TokenKind::line || behind.kind == TokenKind::end || is_mark(behind, "}")) {
      break;
    }
    token = scanner_.next();
  }
  rule_.step_count = static_cast<std::uint32_t>(store_.steps.size()) - rule_.first_step;
  return store_.rules.add(rule_) ? RulesFault{} : fault_at(token, "more rules than fit");
}

RulesFault RuleParser::take_statement(const Token& word) {
  if (word.kind != TokenKind::word) return fault_at(word, "no statement begins so");
  if (verdict_of(word.text) != Verdict::next) return take_verdict(word);
  if (word.text == "limit") return take_limit(word);
  if (word.text == "log") return take_log(word);
  if (word.text == "counter") return take_counter(word);
  if (word.text == "comment") {
    const Token text = scanner_.next();
    return text.kind == TokenKind::text ? RulesFault{} : fault_at(text, "comment \"TEXT\"");
  }
  return take_match(word);
}

RulesFault RuleParser::take_verdict(const Token& word) {
  const Verdict verdict = verdict_of(word.text);
  rule_.verdict = verdict;
  if (verdict == Verdict::accept) return {};
  const bool is_nat = verdict == Verdict::dnat || verdict == Verdict::snat;
  if (is_nat && !translates()) {
    return fault_at(word, "dnat belongs in chain prerouting, snat and masquerade in postrouting");
  }
  const bool is_source = verdict == Verdict::snat;
  const bool is_here = is_nat && is_source == (chain_ == &chains_.postrouting);
  if (translates() && !is_here) return fault_at(word, kTranslateOnly);
  if (is_nat) return take_nat(scanner_, word, store_, rule_);
  return verdict == Verdict::reject ? take_reject(scanner_, word, store_, rule_) : RulesFault{};
}

RulesFault RuleParser::take_match(const Token& word) {
  Step step;
  Match& match = step.match;
  if (word.text == "iif" || word.text == "iifname") {
    match.field = Field::in_port;
  } else if (word.text == "oif" || word.text == "oifname") {
    match.field = Field::out_port;
  } else if (!is_header(word.text)) {
    return fault_at(word, "no statement begins so");
  } else {
    const Token name = scanner_.next();
    if (!find_field(word.text, name.text, match.field)) {
      return fault_at(name, "no such field of this header");
    }
  }
  const bool is_input = chain_ == &chains_.input;
  if (is_input && (match.field == Field::out_port || match.field == Field::flow_state)) {
    return fault_at(word, "chain input knows no oif and no ct state");
  }
  if (chain_ == &chains_.prerouting && match.field == Field::out_port) {
    return fault_at(word, "chain prerouting knows no oif: the way is not known yet");
  }
  if (is_mark(scanner_.peek(), "!=")) {
    scanner_.next();
    match.is_negated = true;
  }
  const RulesFault fault = sets_.take_values(scanner_, match.field, match.values);
  return fault.failed() ? fault : add_step(word, step);
}

RulesFault RuleParser::take_limit(const Token& word) {
  constexpr const char* kForm = "limit rate [over] N/second|minute|hour|day [burst N packets]";
  if (!is_word(scanner_.next(), "rate")) return fault_at(word, kForm);
  Limit limit;
  Token rate = scanner_.next();
  limit.is_over = is_word(rate, "over");
  if (limit.is_over) rate = scanner_.next();
  std::string_view unit = rate.text;
  std::string_view digits;
  std::uint64_t packets = 0;
  const bool is_rate = runtime::cut(unit, '/', digits) &&
                       runtime::parse_number(digits, kMostPackets, packets) && packets > 0;
  if (!is_rate) return fault_at(rate, kForm);
  limit.packets = static_cast<std::uint32_t>(packets);
  limit.unit_ms = unit == "second"   ? 1000
                  : unit == "minute" ? 60'000
                  : unit == "hour"   ? 3'600'000
                  : unit == "day"    ? 86'400'000
                                     : 0;
  if (limit.unit_ms == 0) return fault_at(rate, kForm);
  std::uint64_t burst = kUsualBurst;
  if (is_word(scanner_.peek(), "burst")) {
    scanner_.next();
    const Token number = scanner_.next();
    if (!runtime::parse_number(number.text, kMostBurst, burst) || burst == 0) {
      return fault_at(number, "not a burst of 1..100000 packets");
    }
    if (!is_word(scanner_.next(), "packets")) return fault_at(number, kForm);
  }
  limit.burst = static_cast<std::uint32_t>(burst);
  limit.level = burst * limit.unit_ms;  // full at the start
  Step step;
  step.kind = StepKind::limit;
  step.index = static_cast<std::uint32_t>(store_.limits.size());
  return store_.limits.add(limit) ? add_step(word, step) : fault_at(word, "more limits than fit");
}

RulesFault RuleParser::take_log(const Token& word) {
  Step step;
  step.kind = StepKind::log;
  if (is_word(scanner_.peek(), "prefix")) {
    scanner_.next();
    const Token text = scanner_.next();
    if (text.kind != TokenKind::text) return fault_at(text, "log prefix \"TEXT\"");
    step.prefix = text.text;
  }
  return add_step(word, step);
}

RulesFault RuleParser::take_counter(const Token& word) {
  Step step;
  step.kind = StepKind::counter;
  step.index = static_cast<std::uint32_t>(store_.counters.size());
  const bool added = store_.counters.add({0, 0, word.line});
  return added ? add_step(word, step) : fault_at(word, "more counters than fit");
}

RulesFault RuleParser::add_step(const Token& word, const Step& step) {
  return store_.steps.add(step) ? RulesFault{} : fault_at(word, "more statements than fit");
}

}  // namespace

RulesFault parse_rules(std::string_view text, const RulePorts& ports, runtime::Arena& memory,
                       RuleSet& out) {
  RuleStore store;
  if (!store.create(memory)) return {"too little memory for rules: give the app more", {}, 0};
  RuleSets sets(store);
  return RuleParser(text, ports, store, sets).parse(out);
}

}  // namespace images::firewall
