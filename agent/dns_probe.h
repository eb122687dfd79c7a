// The wire form of a DNS health probe: one query, one answer judged. Pure, bounds-checked, fuzzed.
// It never follows what an answer says: no referral, no alias, no second query.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace agent {

/// What a probe asks.
struct DnsQuestion {
  std::string name;         // lower case, without the last dot; "" is the root
  std::uint16_t type = 1;
  std::string type_name;    // "A", for texts
};

/// Reads `health.query`: "www.example.test A". The type may be left out and is then A.
/// errors bad_argument (label empty or beyond 63, name beyond 253, unknown type)
proto::Result<DnsQuestion> parse_dns_question(std::string_view text);

/// The query's bytes: one question, class IN, no recursion wanted, no EDNS.
/// source RFC 1035 section 4
std::vector<std::uint8_t> build_dns_query(const DnsQuestion& question, std::uint16_t id);

/// Judges an answer: it must repeat our id and question, say NOERROR, and hold at least one record
/// of the asked type in its answer section. Gives how many.
/// errors bad_argument (not an answer to this query, or cut short: keep waiting for the right one)
///        | unhealthy (an answer, but not a good one: the text says which rcode or what is missing)
proto::Result<int> judge_dns_answer(std::span<const std::uint8_t> answer,
                                    const DnsQuestion& question, std::uint16_t id);

}  // namespace agent
