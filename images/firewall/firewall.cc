#include "images/firewall/firewall.h"

namespace images::firewall {

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::rule_accepts: return "rule_accepts";
    case Reason::follows: return "follows";
    case Reason::rule_drops: return "rule_drops";
    case Reason::policy: return "policy";
    case Reason::malformed: return "malformed";
    case Reason::fragment: return "fragment";
    case Reason::full: return "full";
    case Reason::at_home: return "at_home";
    case Reason::reserved: return "reserved";
  }
  return "";
}

bool Firewall::create(const FirewallOptions& options, RuleSet& rules, const HashKey& key,
                      runtime::Arena& memory) {
  rules_ = &rules;
  flows_.adopt_until(options.adopt_until_ms);
  return flows_.create(options.flows, key, memory) &&
         fragments_.create(options.datagrams, key, memory) &&
         stations_.create(options.stations, key, memory);
}

Outcome Firewall::judge(std::span<const std::uint8_t> frame, std::size_t in_port,
                        std::size_t out_port, std::uint64_t now_ms) {
  flows_.expire(now_ms);
  const Outcome outcome = decide(frame, in_port, out_port, now_ms);
  // What the rules drop teaches nothing: or anybody could say that he lives where another does.
  if (is_forwarded(outcome.reason)) stations_.learn(packet_.source_mac, in_port, now_ms);
  ++counts_[static_cast<std::size_t>(outcome.reason)];
  return outcome;
}

bool Firewall::admits(std::span<const std::uint8_t> frame, std::size_t port,
                      std::uint64_t now_ms) {
  if (!rules_->input.is_written) return true;
  if (read_packet(frame, packet_) != Malformed::no || packet_.checksum_fails) return false;
  if (packet_.is_ip && !packet_.fragment.is_first) return fragments_.follow(packet_, port, now_ms);
  const Passage passage{&packet_, port, port, FlowState::untracked, frame.size(), now_ms};
  const Judgement judgement = images::firewall::judge(*rules_, rules_->input, passage);
  if (judgement.verdict != Verdict::accept) return false;
  if (packet_.fragment.is_part) fragments_.open(packet_, port, now_ms);
  return true;
}

Outcome Firewall::decide(std::span<const std::uint8_t> frame, std::size_t in_port,
                         std::size_t out_port, std::uint64_t now_ms) {
  if (read_packet(frame, packet_) != Malformed::no) return {Reason::malformed, 0, false, {}};
  if (is_group(packet_.source_mac)) return {Reason::malformed, 0, false, {}};
  if (is_reserved(packet_.target_mac)) return {Reason::reserved, 0, false, {}};
  if (stations_.port_of(packet_.target_mac, now_ms) == in_port) {
    return {Reason::at_home, 0, false, {}};
  }
  if (packet_.is_ip && !packet_.fragment.is_first) {
    const bool goes_on = fragments_.follow(packet_, in_port, now_ms);
    return {goes_on ? Reason::follows : Reason::fragment, 0, false, {}};
  }
  const FlowTable::Found found = flows_.look(packet_, now_ms);
  const Passage passage{&packet_, in_port, out_port, found.state, frame.size(), now_ms};
  const Outcome outcome = ask_rules(passage, found);
  if (outcome.reason == Reason::rule_accepts && packet_.fragment.is_part) {
    fragments_.open(packet_, in_port, now_ms);
  }
  return outcome;
}

Outcome Firewall::ask_rules(const Passage& passage, const FlowTable::Found& found) {
  const Judgement judgement = images::firewall::judge(*rules_, rules_->forward, passage);
  Outcome out{Reason::rule_drops, judgement.line, judgement.has_log, judgement.log};
  if (judgement.verdict == Verdict::accept) {
    const bool has_room = flows_.commit(found, packet_, passage.now_ms);
    out.reason = has_room ? Reason::rule_accepts : Reason::full;
  } else if (judgement.line == 0) {
    out.reason = Reason::policy;
  }
  return out;
}

}  // namespace images::firewall
