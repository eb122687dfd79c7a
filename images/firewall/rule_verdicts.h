// What stands at a rule's end and says more than accept or drop: reject, dnat, snat, masquerade.
#pragma once

#include <string_view>

#include "images/firewall/rule_scanner.h"
#include "images/firewall/rule_store.h"
#include "images/firewall/rules.h"

namespace images::firewall {

/// The verdict that begins with that word; next: it is no verdict.
Verdict verdict_of(std::string_view word);

/// Behind `reject`: [ with tcp reset | with (icmp|icmpv6|icmpx) [type] CODE ]. Adds the match that
/// the answer needs, as nftables does.
RulesFault take_reject(RuleScanner& scanner, const Token& word, RuleStore& store, Rule& rule);

/// Behind `dnat`: [ip] to A[:P]; `snat`: [ip] to A[:P[-P]]; `masquerade`: [to :P[-P]]. The last two
/// may be said to be random, which they are. Adds the match of IPv4.
RulesFault take_nat(RuleScanner& scanner, const Token& word, RuleStore& store, Rule& rule);

}  // namespace images::firewall
