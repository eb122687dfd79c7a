// Bytes from a server that was forwarded to: taken as the answer only with the id and the question,
// and then handed back whole or as a header that says TC, with the asker's id. The first bytes say
// how long the question is that it should answer; what follows is the question and then the reply.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "images/dns/forward.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::dns;
  if (size < 2) return 0;
  const std::size_t query_size = std::min<std::size_t>(data[0] * 256U + data[1], size - 2);
  const std::span<const std::uint8_t> packet(data + 2, query_size);
  std::vector<std::uint8_t> reply(data + 2 + query_size, data + size);
  Query query;
  Rcode rcode;
  if (query_size > kMaxQueryBytes) return 0;
  if (parse_query(packet, query, rcode) != Verdict::look_up) return 0;
  static const std::array<Endpoint, 2> servers{};
  const Upstreams upstreams(servers);
  const auto forwarded = std::make_unique<Forwarded>();
  take_over(packet, query, *forwarded);
  const auto id = static_cast<std::uint16_t>(reply.size() < 2 ? 0 : reply[0] * 256U + reply[1]);
  if (!begin_try(*forwarded, upstreams, id, 0)) std::abort();
  if (!is_answer(*forwarded, reply)) return 0;
  static_cast<void>(is_failure(reply));
  static_cast<void>(read_answer_head(reply));
  std::vector<std::uint8_t> by_tcp = reply;
  if (hand_back(*forwarded, by_tcp, true) != reply.size()) std::abort();
  const std::size_t kept = hand_back(*forwarded, reply, false);
  if (kept > reply.size() || kept > kMaxUdpBytes) std::abort();
  if (kept < reply.size() && (reply[2] & 0x02) == 0) std::abort();
  if (!std::equal(packet.begin(), packet.begin() + 2, reply.begin())) std::abort();
  return 0;
}
