#include "images/dns/forward.h"

#include <algorithm>

namespace images::dns {
namespace {

// Together less than the five seconds that stub resolvers wait.
constexpr std::array<std::uint64_t, kForwardTries> kWaitMs{800, 1200, 1600};

std::uint16_t u16_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void set_u16(std::span<std::uint8_t> bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c;
}

/// Name, type and class; type and class have no case, and are compared as they are.
bool same_question(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  const std::size_t name_size = a.size() - 4;
  return std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(name_size), b.begin(),
                    [](std::uint8_t x, std::uint8_t y) { return lower(x) == lower(y); }) &&
         std::equal(a.begin() + static_cast<std::ptrdiff_t>(name_size), a.end(),
                    b.begin() + static_cast<std::ptrdiff_t>(name_size));
}

}  // namespace

void take_over(std::span<const std::uint8_t> packet, const Query& query, Forwarded& out) {
  std::copy(packet.begin(), packet.end(), std::span(out.query).first(packet.size()).begin());
  out.query_size = packet.size();
  out.question_size = query.question.size();
  out.udp_bytes = query.udp_bytes;
  out.asker_id = query.id;
  out.upstream = 0;
  out.tries = 0;
  // Behind OPT's root name and type. A larger answer would come in fragments, which can be forged.
  if (query.edns) set_u16(out.query, query.opt_offset + 3, query.udp_bytes);
}

bool begin_try(Forwarded& forwarded, const Upstreams& upstreams, std::uint16_t id,
               std::uint64_t now_ms) {
  if (forwarded.tries == kForwardTries || upstreams.count() == 0) return false;
  if (forwarded.tries == 0) forwarded.first = static_cast<std::uint8_t>(upstreams.preferred());
  const std::size_t index = (std::size_t{forwarded.first} + forwarded.tries) % upstreams.count();
  forwarded.upstream = static_cast<std::uint8_t>(index);
  forwarded.deadline_ms = now_ms + kWaitMs[forwarded.tries];
  ++forwarded.tries;
  set_u16(forwarded.query, 0, id);
  return true;
}

bool is_answer(const Forwarded& forwarded, std::span<const std::uint8_t> bytes) {
  const std::size_t question_end = kHeaderBytes + forwarded.question_size;
  if (bytes.size() < question_end || forwarded.question_size < 5) return false;
  const std::span<const std::uint8_t> query = forwarded.packet();
  constexpr unsigned kAnswerBit = 0x8000;
  constexpr unsigned kOpcodeBits = 0x7800;
  const unsigned flags = u16_at(bytes, 2);
  return u16_at(bytes, 0) == u16_at(query, 0) && (flags & kAnswerBit) != 0 &&
         (flags & kOpcodeBits) == (u16_at(query, 2) & kOpcodeBits) && u16_at(bytes, 4) == 1 &&
         same_question(query.subspan(kHeaderBytes, forwarded.question_size),
                       bytes.subspan(kHeaderBytes, forwarded.question_size));
}

bool is_failure(std::span<const std::uint8_t> answer) {
  const auto rcode = static_cast<Rcode>(answer[3] & 0xf);
  return rcode == Rcode::server_failure || rcode == Rcode::refused ||
         rcode == Rcode::not_implemented;
}

std::size_t hand_back(const Forwarded& forwarded, std::span<std::uint8_t> answer, bool by_tcp) {
  set_u16(answer, 0, forwarded.asker_id);
  const auto question = forwarded.packet().subspan(kHeaderBytes, forwarded.question_size);
  std::copy(question.begin(), question.end(), answer.begin() + kHeaderBytes);
  if (by_tcp || answer.size() <= forwarded.udp_bytes) return answer.size();
  answer[2] |= 0x02;  // TC
  for (std::size_t count_at = 6; count_at < kHeaderBytes; count_at += 2) {
    set_u16(answer, count_at, 0);
  }
  return kHeaderBytes + question.size();
}

}  // namespace images::dns
