#include "images/dns/server.h"

#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#include <algorithm>
#include <array>

#include "images/dns/answer.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"

namespace images::dns {
namespace {

constexpr std::size_t kMaxQueryBytes = 1400;  // longer ones are no sensible query
constexpr std::size_t kMaxConnections = 16;
constexpr std::uint8_t kPollHalfSeconds = 4;   // lwIP's unit for tcp_poll
constexpr std::uint64_t kIdleMs = 10'000;      // RFC 7766 section 6.2.3 leaves it to the server

/// One TCP connection: queries come in behind their lengths, one answer at a time goes out.
struct Connection {
  tcp_pcb* pcb = nullptr;  // nullptr: free
  std::uint64_t active_ms = 0;
  std::array<std::uint8_t, 2 + kMaxQueryBytes> in{};
  std::size_t in_size = 0;
  pbuf* waiting = nullptr;  // came, but `in` has no room for all of it yet
  u16_t waiting_taken = 0;
  std::array<std::uint8_t, 2 + kMaxAnswerBytes> out{};
  std::size_t out_size = 0;
  std::size_t out_given = 0;  // to lwIP, which keeps pointing into `out` ...
  std::size_t out_acked = 0;  // ... until the other side has it
  bool ended = false;         // the other side sends no more
};

ServerOptions server;
std::array<Connection, kMaxConnections> connections;
std::array<std::uint8_t, kMaxQueryBytes> udp_query;
std::array<std::uint8_t, kMaxAnswerBytes> udp_answer;

std::array<std::uint8_t, 4> bytes_of(const ip_addr_t& address) {
  const ip4_addr_t& v4 = *ip_2_ip4(&address);  // bound to IPv4 only
  return {ip4_addr1(&v4), ip4_addr2(&v4), ip4_addr3(&v4), ip4_addr4(&v4)};
}

void on_datagram(void*, udp_pcb* pcb, pbuf* packet, const ip_addr_t* source, u16_t port) {
  const std::size_t size = packet->tot_len;
  if (size <= udp_query.size()) pbuf_copy_partial(packet, udp_query.data(), packet->tot_len, 0);
  pbuf_free(packet);
  if (size > udp_query.size() || port == 0) return;
  const std::span<const std::uint8_t> query(udp_query.data(), size);
  const Allowance allowance =
      server.rate_limit->ask(bytes_of(*source), runtime::platform::monotonic_ms());
  if (allowance == Allowance::drop) return;
  const std::size_t answer_size =
      allowance == Allowance::truncate
          ? answer_truncated(query, udp_answer)
          : answer(server.zones, query, Transport::udp, udp_answer);
  if (answer_size == 0) return;
  pbuf* reply = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(answer_size), PBUF_RAM);
  if (reply == nullptr) return;  // out of buffers: the asker asks again
  pbuf_take(reply, udp_answer.data(), static_cast<u16_t>(answer_size));
  udp_sendto(pcb, reply, source, port);
  pbuf_free(reply);
}

void forget(Connection& connection) {
  connection.pcb = nullptr;
  if (connection.waiting != nullptr) pbuf_free(connection.waiting);
  connection.waiting = nullptr;
}

/// End the connection. True: by an abort, after which lwIP must not be told anything but ERR_ABRT.
bool close_connection(Connection& connection) {
  tcp_pcb* pcb = connection.pcb;
  forget(connection);
  tcp_arg(pcb, nullptr);
  tcp_recv(pcb, nullptr);
  tcp_sent(pcb, nullptr);
  tcp_poll(pcb, nullptr, 0);
  tcp_err(pcb, nullptr);
  // What lwIP still holds points into `out`, which the next connection will use.
  const bool unsent = connection.out_acked < connection.out_given;
  if (!unsent && tcp_close(pcb) == ERR_OK) return false;
  tcp_abort(pcb);
  return true;
}

/// Move what waits into `in`, as far as there is room; the window opens by as much.
void pull_in(Connection& connection) {
  if (connection.waiting == nullptr) return;
  const std::size_t left = connection.waiting->tot_len - connection.waiting_taken;
  const std::size_t room = connection.in.size() - connection.in_size;
  const auto count = static_cast<u16_t>(std::min(left, room));
  pbuf_copy_partial(connection.waiting, connection.in.data() + connection.in_size, count,
                    connection.waiting_taken);
  connection.in_size += count;
  connection.waiting_taken = static_cast<u16_t>(connection.waiting_taken + count);
  tcp_recved(connection.pcb, count);
  if (count < left) return;
  pbuf_free(connection.waiting);
  connection.waiting = nullptr;
}

/// Hand lwIP as much of the answer as it takes now.
void push_out(Connection& connection) {
  const std::size_t left = connection.out_size - connection.out_given;
  const std::size_t room = tcp_sndbuf(connection.pcb);
  const auto count = static_cast<u16_t>(std::min(left, room));
  if (count == 0) return;
  const std::uint8_t* from = connection.out.data() + connection.out_given;
  if (tcp_write(connection.pcb, from, count, 0) != ERR_OK) return;  // tried again by on_poll
  connection.out_given += count;
  tcp_output(connection.pcb);
}

/// Answer the next whole query, if there is one and the answer before it is through. False: this
/// connection speaks no DNS, end it.
bool take_query(Connection& connection) {
  if (connection.out_acked < connection.out_size || connection.in_size < 2) return true;
  const std::size_t size = static_cast<std::size_t>(connection.in[0]) << 8 | connection.in[1];
  if (size > kMaxQueryBytes || size == 0) return false;
  if (connection.in_size < 2 + size) return true;
  const std::span<const std::uint8_t> query(connection.in.data() + 2, size);
  const std::span<std::uint8_t> out = std::span(connection.out).subspan(2);
  const std::size_t answer_size = answer(server.zones, query, Transport::tcp, out);
  if (answer_size == 0) return false;
  connection.out[0] = static_cast<std::uint8_t>(answer_size >> 8);
  connection.out[1] = static_cast<std::uint8_t>(answer_size);
  connection.out_size = 2 + answer_size;
  connection.out_given = 0;
  connection.out_acked = 0;
  const auto begin = connection.in.begin();
  std::copy(begin + static_cast<std::ptrdiff_t>(2 + size),
            begin + static_cast<std::ptrdiff_t>(connection.in_size), begin);
  connection.in_size -= 2 + size;
  push_out(connection);
  return true;
}

/// What every event ends with.
err_t go_on(Connection& connection) {
  pull_in(connection);
  const bool fine = take_query(connection);
  const bool done = connection.ended && connection.waiting == nullptr &&
                    connection.out_acked == connection.out_size;
  if (fine && !done) return ERR_OK;
  return close_connection(connection) ? ERR_ABRT : ERR_OK;
}

err_t on_bytes(void* argument, tcp_pcb*, pbuf* packet, err_t) {
  auto& connection = *static_cast<Connection*>(argument);
  connection.active_ms = runtime::platform::monotonic_ms();
  if (packet == nullptr) {
    connection.ended = true;
    return go_on(connection);
  }
  // One at a time: lwIP keeps what we refuse and offers it again, and takes no more meanwhile.
  if (connection.waiting != nullptr) return ERR_MEM;
  connection.waiting = packet;
  connection.waiting_taken = 0;
  return go_on(connection);
}

err_t on_sent(void* argument, tcp_pcb*, u16_t count) {
  auto& connection = *static_cast<Connection*>(argument);
  connection.active_ms = runtime::platform::monotonic_ms();
  connection.out_acked += count;
  push_out(connection);
  return go_on(connection);
}

err_t on_poll(void* argument, tcp_pcb*) {
  auto& connection = *static_cast<Connection*>(argument);
  if (runtime::platform::monotonic_ms() - connection.active_ms >= kIdleMs) {
    return close_connection(connection) ? ERR_ABRT : ERR_OK;
  }
  push_out(connection);
  return ERR_OK;
}

void on_error(void* argument, err_t) {
  if (argument != nullptr) forget(*static_cast<Connection*>(argument));
}

err_t on_connection(void*, tcp_pcb* pcb, err_t error) {
  if (error != ERR_OK || pcb == nullptr) return ERR_VAL;
  const auto free = std::find_if(connections.begin(), connections.end(),
                                 [](const Connection& c) { return c.pcb == nullptr; });
  if (free == connections.end()) {
    tcp_abort(pcb);
    return ERR_ABRT;
  }
  free->pcb = pcb;
  free->active_ms = runtime::platform::monotonic_ms();
  free->in_size = free->out_size = free->out_given = free->out_acked = 0;
  free->ended = false;
  tcp_arg(pcb, &*free);
  tcp_recv(pcb, on_bytes);
  tcp_sent(pcb, on_sent);
  tcp_poll(pcb, on_poll, kPollHalfSeconds);
  tcp_err(pcb, on_error);
  return ERR_OK;
}

}  // namespace

bool serve(const ServerOptions& options) {
  RUNTIME_ASSERT(options.rate_limit != nullptr);
  server = options;
  udp_pcb* udp = udp_new();
  if (udp == nullptr || udp_bind(udp, IP_ADDR_ANY, options.port) != ERR_OK) return false;
  udp_recv(udp, on_datagram, nullptr);
  tcp_pcb* tcp = tcp_new();
  if (tcp == nullptr || tcp_bind(tcp, IP_ADDR_ANY, options.port) != ERR_OK) return false;
  tcp = tcp_listen_with_backlog(tcp, kMaxConnections);
  if (tcp == nullptr) return false;
  tcp_accept(tcp, on_connection);
  return true;
}

}  // namespace images::dns
