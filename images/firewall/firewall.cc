#include "images/firewall/firewall.h"

namespace images::firewall {
namespace {

Outcome outcome_of(const Judgement& judgement, Reason accepted) {
  Outcome out{Reason::policy, judgement.line, judgement.has_log, judgement.log, {}};
  if (judgement.verdict == Verdict::accept) {
    out.reason = accepted;
  } else if (judgement.rule != nullptr) {
    const bool is_drop = judgement.verdict == Verdict::drop;
    out.reason = is_drop ? Reason::rule_drops : Reason::rule_rejects;
    out.rejection = judgement.rule->rejection;
  }
  return out;
}

}  // namespace

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::rule_accepts: return "rule_accepts";
    case Reason::follows: return "follows";
    case Reason::waits: return "waits";
    case Reason::rule_drops: return "rule_drops";
    case Reason::rule_rejects: return "rule_rejects";
    case Reason::policy: return "policy";
    case Reason::malformed: return "malformed";
    case Reason::fragment: return "fragment";
    case Reason::full: return "full";
    case Reason::at_home: return "at_home";
    case Reason::reserved: return "reserved";
    case Reason::own: return "own";
    case Reason::elsewhere: return "elsewhere";
    case Reason::bogus: return "bogus";
    case Reason::expired: return "expired";
    case Reason::too_big: return "too_big";
    case Reason::unreachable: return "unreachable";
    case Reason::untranslated: return "untranslated";
  }
  return "";
}

bool Firewall::create(const FirewallOptions& options, RuleSet& rules, const HashKey& key,
                      runtime::Arena& memory) {
  rules_ = &rules;
  flows_.adopt_until(options.adopt_until_ms);
  replies_ = {options.replies, 1000, options.replies, false, options.replies * 1000ULL, 0};
  return flows_.create(options.flows, key, memory) &&
         fragments_.create(options.datagrams, key, memory) &&
         early_.create(options.early_pieces, memory);
}

Malformed Firewall::take(std::span<const std::uint8_t> frame, std::uint64_t now_ms) {
  flows_.expire(now_ms);
  const Malformed fault = read_packet(frame, packet_);
  // A group sends nothing.
  return fault == Malformed::no && (packet_.source_mac[0] & 1) != 0 ? Malformed::frame : fault;
}

Outcome Firewall::ask(const Passage& passage) {
  return outcome_of(judge(*rules_, rules_->forward, passage), Reason::rule_accepts);
}

Outcome Firewall::ask_input(std::size_t frame_bytes, std::size_t port, bool welcome_without,
                            std::uint64_t now_ms) {
  Outcome out;
  if (packet_.checksum_fails) return out;
  if (!rules_->input.is_written) {
    out.reason = welcome_without ? Reason::own : Reason::policy;
    return out;
  }
  const Passage passage{&packet_, port, port, FlowState::untracked, frame_bytes, now_ms};
  return outcome_of(judge(*rules_, rules_->input, passage), Reason::own);
}

Outcome Firewall::admit(std::span<const std::uint8_t> frame, std::size_t port,
                        std::uint64_t now_ms) {
  Outcome out;
  const bool is_readable = read_packet(frame, packet_) == Malformed::no;
  if (!rules_->input.is_written) {
    out.reason = Reason::own;
  } else if (is_readable && packet_.is_ip && !packet_.fragment.is_first) {
    out.reason = follow_own(port, now_ms);
  } else if (is_readable) {
    out = ask_input(frame.size(), port, true, now_ms);
    if (out.reason == Reason::own && packet_.fragment.is_part) {
      open_datagram(port, {true, {}, {}}, now_ms);
    }
  }
  return out;
}

void Firewall::open_datagram(std::size_t port, const FragmentTable::Way& way,
                             std::uint64_t now_ms) {
  fragments_.open(packet_, port, way, now_ms);
  if (!way.is_own) early_.release(packet_, port, now_ms);
}

Firewall::Piece Firewall::follow_first(Bytes frame, std::size_t port, std::uint64_t now_ms) {
  const auto [way, is_early] = fragments_.follow(packet_, port, now_ms);
  if (way != nullptr) return {Reason::follows, way};
  const bool waits = is_early && early_.keep(packet_, port, frame, now_ms);
  return {waits ? Reason::waits : Reason::fragment, nullptr};
}

Reason Firewall::follow_own(std::size_t port, std::uint64_t now_ms) {
  const FragmentTable::Way* way = fragments_.follow(packet_, port, now_ms).way;
  return way != nullptr && way->is_own ? Reason::own : Reason::fragment;
}

bool Firewall::may_reply(std::uint64_t now_ms) { return take_one(replies_, now_ms); }

std::size_t Firewall::refuse(const Rejection& rejection, Bytes frame, const Address* from,
                             std::uint64_t now_ms, ReplyBuffer& out) {
  if (!may_complain_of(packet_) || !may_reply(now_ms)) return 0;
  if (rejection.is_reset) return make_tcp_reset(packet_, frame, out);
  const bool is_ip6 = packet_.tuple.is_ip6;
  const IcmpError error{is_ip6 ? std::uint8_t{1} : std::uint8_t{3},
                        is_ip6 ? rejection.code6 : rejection.code, 0};
  return make_icmp_error(packet_, frame, error, from == nullptr ? packet_.tuple.target : *from,
                         out);
}

}  // namespace images::firewall
