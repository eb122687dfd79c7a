#include "images/dns/forward_udp.h"

#include <lwip/pbuf.h>

#include <algorithm>
#include <array>

#include "images/dns/net_address.h"
#include "images/runtime/appliance.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::dns {
namespace {

constexpr std::uint32_t kTickMs = 100;
constexpr std::uint32_t kFirstPort = 1024;
constexpr int kPortTries = 8;
constexpr std::size_t kMaxReplyBytes = 4096;  // of a server that heeds no EDNS size

struct Slot {
  Forwarded forwarded;
  udp_pcb* socket = nullptr;   // of this try
  udp_pcb* service = nullptr;  // where the question came in; nullptr: free
  ip_addr_t asker{};
  u16_t asker_port = 0;
};

const Service* service = nullptr;
Upstreams* upstreams = nullptr;
std::span<Slot> slots;
bool ticking = false;
static_assert(kMaxReplyBytes <= kMaxAnswerBytes);

bool send(udp_pcb* pcb, std::span<const std::uint8_t> bytes, const ip_addr_t& to, u16_t port) {
  pbuf* packet = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(bytes.size()), PBUF_RAM);
  if (packet == nullptr) return false;
  pbuf_take(packet, bytes.data(), static_cast<u16_t>(bytes.size()));
  const err_t error = udp_sendto(pcb, packet, &to, port);
  pbuf_free(packet);
  return error == ERR_OK;
}

void close_socket(Slot& slot) {
  if (slot.socket != nullptr) udp_remove(slot.socket);
  slot.socket = nullptr;
}

/// The asker gets what stands in scratch(); the slot is free.
void finish(Slot& slot, std::size_t size) {
  if (size > 0) {
    count_answer(*service, scratch().first(size));
    send(slot.service, scratch().first(size), slot.asker, slot.asker_port);
  }
  close_socket(slot);
  slot.service = nullptr;
}

void on_reply(void* argument, udp_pcb*, pbuf* packet, const ip_addr_t*, u16_t);

/// A socket on a random port that hears this server only.
bool open_socket(Slot& slot) {
  const Endpoint& server = (*upstreams)[slot.forwarded.upstream];
  const ip_addr_t address = to_lwip(server.address);
  slot.socket = udp_new_ip_type(IP_GET_TYPE(&address));
  if (slot.socket == nullptr) return false;
  for (int i = 0; i < kPortTries; ++i) {
    const auto port =
        static_cast<u16_t>(kFirstPort + runtime::random_u32() % (65536 - kFirstPort));
    if (udp_bind(slot.socket, IP_ANY_TYPE, port) != ERR_OK) continue;
    if (udp_connect(slot.socket, &address, server.port) != ERR_OK) break;
    udp_recv(slot.socket, on_reply, &slot);
    return true;
  }
  close_socket(slot);
  return false;
}

/// The next try that can be sent; without one the asker is told that we failed.
void try_next(Slot& slot) {
  close_socket(slot);
  const std::uint64_t now = runtime::platform::monotonic_ms();
  const auto id = static_cast<std::uint16_t>(runtime::random_u32());
  if (!begin_try(slot.forwarded, *upstreams, id, now)) {
    service->counters->add(Event::forward_failed);
    finish(slot, answer_failure(slot.forwarded.packet(), slot.forwarded.asker_id, scratch()));
    return;
  }
  if (slot.forwarded.tries > 1) service->counters->add(Event::forward_tried_again);
  if (!open_socket(slot)) return;  // the deadline leads on
  const Endpoint& server = (*upstreams)[slot.forwarded.upstream];
  send(slot.socket, slot.forwarded.packet(), slot.socket->remote_ip, server.port);
}

void on_reply(void* argument, udp_pcb*, pbuf* packet, const ip_addr_t*, u16_t) {
  auto& slot = *static_cast<Slot*>(argument);
  const std::size_t size = packet->tot_len;
  if (size <= kMaxReplyBytes) pbuf_copy_partial(packet, scratch().data(), packet->tot_len, 0);
  pbuf_free(packet);
  const std::span<std::uint8_t> bytes = scratch().first(std::min(size, kMaxReplyBytes));
  if (size > kMaxReplyBytes || !is_answer(slot.forwarded, bytes)) {
    service->counters->add(Event::forward_forged);
    return;
  }
  const bool more = slot.forwarded.tries < kForwardTries && upstreams->count() > 1;
  if (is_failure(bytes) && more) {
    try_next(slot);
    return;
  }
  upstreams->answered(slot.forwarded.upstream);
  service->counters->add(Event::forward_answered);
  finish(slot, hand_back(slot.forwarded, bytes, false));
}

void tick(void*) {
  ticking = false;
  const std::uint64_t now = runtime::platform::monotonic_ms();
  for (Slot& slot : slots) {
    if (slot.service != nullptr && now >= slot.forwarded.deadline_ms) {
      upstreams->was_silent(slot.forwarded.upstream);
      try_next(slot);
    }
    ticking = ticking || slot.service != nullptr;
  }
  if (ticking) runtime::call_after(kTickMs, tick, nullptr);
}

/// The asker's own retry of what is on its way.
bool is_asked_again(const Slot& slot, const Query& query, const ip_addr_t& asker, u16_t port) {
  if (slot.service == nullptr || slot.forwarded.asker_id != query.id) return false;
  const auto question = slot.forwarded.packet().subspan(kHeaderBytes, slot.forwarded.question_size);
  return slot.asker_port == port && ip_addr_cmp(&slot.asker, &asker) &&
         std::equal(question.begin(), question.end(), query.question.begin(), query.question.end());
}

}  // namespace

bool start_forward_udp(const Service& given, Upstreams& servers, runtime::Arena& memory) {
  auto* places = memory.make_array<Slot>(kMaxForwards);
  if (places == nullptr) return false;
  service = &given;
  upstreams = &servers;
  slots = {places, kMaxForwards};
  return true;
}

bool forward_udp(std::span<const std::uint8_t> packet, const Query& query, udp_pcb* pcb,
                 const ip_addr_t& asker, u16_t asker_port) {
  if (std::any_of(slots.begin(), slots.end(), [&](const Slot& slot) {
        return is_asked_again(slot, query, asker, asker_port);
      })) {
    return true;
  }
  const auto free = std::find_if(slots.begin(), slots.end(),
                                 [](const Slot& slot) { return slot.service == nullptr; });
  if (free == slots.end()) {
    service->counters->add(Event::forward_full);
    return false;
  }
  service->counters->add(Event::forwarded);
  take_over(packet, query, free->forwarded);
  free->service = pcb;
  free->asker = asker;
  free->asker_port = asker_port;
  try_next(*free);
  if (!ticking) runtime::call_after(kTickMs, tick, nullptr);
  ticking = true;
  return true;
}

}  // namespace images::dns
