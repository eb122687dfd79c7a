#include "images/dns/service.h"

#include <array>

namespace images::dns {
namespace {

constexpr std::uint8_t kRecursionAvailable = 0x80;
std::array<std::uint8_t, kMaxAnswerBytes> scratch_bytes;

}  // namespace

std::span<std::uint8_t> scratch() { return scratch_bytes; }

Asked read_asked(const Service& service, std::span<const std::uint8_t> packet,
                 const Address& asker) {
  Asked asked;
  asked.verdict = parse_query(packet, asked.query, asked.rcode);
  if (asked.verdict == Verdict::drop) service.counters->add(Event::dropped);
  const Options& options = *service.options;
  asked.may_forward = options.forwards() && options.forwards_for(asker);
  asked.forward = asked.may_forward && asked.verdict == Verdict::look_up &&
                  asked.query.recursion_desired && !has_zone_for(service.zones, asked.query);
  return asked;
}

std::size_t answer_here(const Service& service, const Asked& asked, Transport transport,
                        std::span<std::uint8_t> out) {
  std::size_t size =
      answer(service.zones, asked.verdict, asked.query, asked.rcode, transport, out);
  if (size == 0) return 0;
  if (asked.may_forward) out[3] |= kRecursionAvailable;
  const std::string_view nsid = service.options->nsid;
  if (asked.query.wants_nsid && !nsid.empty()) {
    const std::size_t limit =
        transport == Transport::tcp ? kMaxAnswerBytes : asked.query.udp_bytes;
    size = add_option(out, size, limit, kNsidOption, nsid);
  }
  return size;
}

std::size_t answer_failure(std::span<const std::uint8_t> packet, std::uint16_t asker_id,
                           std::span<std::uint8_t> out) {
  Query query;
  Rcode rcode;
  if (parse_query(packet, query, rcode) == Verdict::drop) return 0;
  query.id = asker_id;
  const std::size_t size = answer_rcode(query, Rcode::server_failure, out);
  if (size > 0) out[3] |= kRecursionAvailable;
  return size;
}

void count_answer(const Service& service, std::span<const std::uint8_t> answer) {
  const AnswerHead head = read_answer_head(answer);
  service.counters->add_answer(head.type, head.rcode);
}

}  // namespace images::dns
