// Hostile packets to the DNS appliance: every one is dropped or answered within its limit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "images/dns/answer.h"
#include "images/dns/message.h"
#include "images/dns/zone_parser.h"

namespace {

constexpr std::string_view kText =
    "$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\n@ MX 1 www\nns1 A 192.0.2.1\nwww A 192.0.2.2\n"
    "a CNAME b\nb CNAME a\n*.w TXT x\nsub NS ns.sub\nns.sub A 192.0.2.3\n_s._tcp SRV 1 2 3 www\n"
    "deep.er.down AAAA 2001:db8::1\n";

struct World {
  World() {
    if (images::dns::parse_zone(kText, "example.test", arena, zone).failed()) std::abort();
  }
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(1 << 16);
  images::runtime::Arena arena{memory};
  images::dns::Zone zone;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::dns;
  static const World world;
  static std::vector<std::uint8_t> out(kMaxAnswerBytes);
  const std::span<const Zone> zones(&world.zone, 1);
  const std::size_t by_udp = answer(zones, {data, size}, Transport::udp, out);
  if (by_udp > kMaxUdpBytes) std::abort();
  Query query;
  Rcode rcode;
  if (parse_query({data, size}, query, rcode) != Verdict::drop && query.wants_nsid) {
    const std::size_t more = add_option(out, by_udp, query.udp_bytes, kNsidOption, "edge");
    if (more > query.udp_bytes) std::abort();
    if (query.has_question && read_answer_head(out).type != query.type) std::abort();
  }
  if (answer(zones, {data, size}, Transport::tcp, out) > kMaxAnswerBytes) std::abort();
  if (answer_truncated({data, size}, out) > kPlainUdpBytes) std::abort();
  return 0;
}
