// What an authoritative server says (RFC 1034 section 4.3.2): a pure function from zones and a
// query to an answer. No clock, no network, no memory of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/dns/message.h"
#include "images/dns/zone.h"

namespace images::dns {

enum class Transport { udp, tcp };

// Every answer fits: a set of records is limited (kMaxSetBytes), and chains are.
inline constexpr std::size_t kMaxAnswerBytes = 16 * 1024;

/// Answer one packet. out: at least kMaxAnswerBytes. Returns the answer's bytes; 0 = send none.
std::size_t answer(std::span<const Zone> zones, std::span<const std::uint8_t> packet,
                   Transport transport, std::span<std::uint8_t> out);

/// The same for what parse_query() has read: its verdict, its query, and its rcode.
std::size_t answer(std::span<const Zone> zones, Verdict verdict, const Query& query, Rcode rcode,
                   Transport transport, std::span<std::uint8_t> out);

/// True if one of the zones answers this query.
bool has_zone_for(std::span<const Zone> zones, const Query& query);

/// The answer "ask again over TCP" (rate limit); 0 = send none.
std::size_t answer_truncated(std::span<const std::uint8_t> packet, std::span<std::uint8_t> out);

/// Add an option to an answer's OPT, which is its last record, if `limit` bytes have room for it.
/// size: the answer's. Returns its new size.
std::size_t add_option(std::span<std::uint8_t> answer, std::size_t size, std::size_t limit,
                       std::uint16_t code, std::string_view text);

/// An answer that is nothing but an rcode.
std::size_t answer_rcode(const Query& query, Rcode rcode, std::span<std::uint8_t> out);

}  // namespace images::dns
