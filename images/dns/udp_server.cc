#include <lwip/pbuf.h>
#include <lwip/udp.h>

#include <array>

#include "images/dns/forward_udp.h"
#include "images/dns/net_address.h"
#include "images/dns/server.h"
#include "images/runtime/platform.h"

namespace images::dns {
namespace {

const Service* service = nullptr;
std::array<std::uint8_t, kMaxQueryBytes> query_bytes;

Allowance allowance(const Address& asker) {
  if (service->rate_limit == nullptr) return Allowance::answer;
  return service->rate_limit->ask(asker, runtime::platform::monotonic_ms());
}

/// The answer to be sent now, in scratch(); 0 = none.
std::size_t take(std::span<const std::uint8_t> packet, udp_pcb* pcb, const ip_addr_t& source,
                 u16_t port) {
  const Address asker = address_of(source);
  switch (allowance(asker)) {
    case Allowance::drop: service->counters->add(Event::limited_dropped); return 0;
    case Allowance::truncate:
      service->counters->add(Event::limited_truncated);
      return answer_truncated(packet, scratch());
    case Allowance::answer: break;
  }
  const Asked asked = read_asked(*service, packet, asker);
  if (!asked.forward) return answer_here(*service, asked, Transport::udp, scratch());
  if (forward_udp(packet, asked.query, pcb, source, port)) return 0;
  return answer_failure(packet, asked.query.id, scratch());
}

void on_datagram(void*, udp_pcb* pcb, pbuf* packet, const ip_addr_t* source, u16_t port) {
  service->counters->add(Event::by_udp);
  const std::size_t size = packet->tot_len;
  if (size <= query_bytes.size()) pbuf_copy_partial(packet, query_bytes.data(), packet->tot_len, 0);
  pbuf_free(packet);
  if (size > query_bytes.size() || port == 0) {
    service->counters->add(Event::dropped);
    return;
  }
  // lwIP's own copy of the source is of the packet that it handles now: ours is kept.
  const ip_addr_t asker = *source;
  const std::size_t answer_size = take({query_bytes.data(), size}, pcb, asker, port);
  if (answer_size == 0) return;
  count_answer(*service, scratch().first(answer_size));
  pbuf* reply = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(answer_size), PBUF_RAM);
  if (reply == nullptr) return;  // out of buffers: the asker asks again
  pbuf_take(reply, scratch().data(), static_cast<u16_t>(answer_size));
  udp_sendto(pcb, reply, &asker, port);
  pbuf_free(reply);
}

}  // namespace

bool serve_udp(const Service& given, std::uint16_t port) {
  service = &given;
  udp_pcb* pcb = udp_new_ip_type(IPADDR_TYPE_ANY);
  if (pcb == nullptr || udp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) return false;
  udp_recv(pcb, on_datagram, nullptr);
  return true;
}

}  // namespace images::dns
