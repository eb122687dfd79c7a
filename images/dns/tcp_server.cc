#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include <algorithm>
#include <array>

#include "images/dns/forward_tcp.h"
#include "images/dns/net_address.h"
#include "images/dns/server.h"
#include "images/runtime/net/tcp_out.h"
#include "images/runtime/platform.h"

namespace images::dns {
namespace {

using runtime::net::TcpOut;

constexpr std::size_t kMaxConnections = 16;
constexpr std::uint8_t kPollHalfSeconds = 4;   // lwIP's unit for tcp_poll
constexpr std::uint64_t kIdleMs = 10'000;      // RFC 7766 section 6.2.3 leaves it to the server
constexpr std::size_t kLengthBytes = 2;

/// One TCP connection: questions come in behind their lengths, answers go out in the same order, as
/// many together as there is room for.
struct Connection {
  tcp_pcb* pcb = nullptr;  // nullptr: free
  std::uint64_t active_ms = 0;
  std::array<std::uint8_t, kLengthBytes + kMaxQueryBytes> in{};
  std::size_t in_size = 0;
  pbuf* waiting = nullptr;  // came, but `in` has no room for all of it yet
  u16_t waiting_taken = 0;
  std::array<std::uint8_t, kLengthBytes + kMaxAnswerBytes> answers{};
  TcpOut out;               // `answers`, or the relay's
  Relay* relay = nullptr;   // has the last question, or its answer is on its way out
  bool relays = false;      // `out` is the relay's
  bool ended = false;       // the other side sends no more
};

const Service* service = nullptr;
std::array<Connection, kMaxConnections> connections;

void forget(Connection& connection) {
  connection.pcb = nullptr;
  if (connection.waiting != nullptr) pbuf_free(connection.waiting);
  connection.waiting = nullptr;
  if (connection.relay != nullptr) release(*connection.relay);
  connection.relay = nullptr;
}

/// End the connection. Returns what its callback must return.
err_t end(Connection& connection) {
  tcp_pcb* pcb = connection.pcb;
  const bool held = connection.out.is_held();
  const err_t result = runtime::net::end_connection(pcb, held);
  forget(connection);
  return result;
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

/// Once all that went out has arrived, its place is free, and a relay's answer may follow.
void turn_over(Connection& connection) {
  if (!connection.out.through()) return;
  if (connection.relays) {
    release(*connection.relay);
    connection.relay = nullptr;
    connection.relays = false;
  }
  connection.out = {connection.answers.data(), 0, 0, 0};
  if (connection.relay != nullptr && is_done(*connection.relay)) {
    const auto answer = answer_of(*connection.relay);
    connection.out = {answer.data(), answer.size(), 0, 0};
    connection.relays = true;
    count_answer(*service, answer.subspan(kLengthBytes));
  }
}

/// Put an answer behind those that are on their way. False: no room until they have arrived.
bool append(Connection& connection, std::span<const std::uint8_t> answer) {
  TcpOut& out = connection.out;
  if (kLengthBytes + answer.size() > connection.answers.size() - out.size) return false;
  std::uint8_t* to = connection.answers.data() + out.size;
  to[0] = static_cast<std::uint8_t>(answer.size() >> 8);
  to[1] = static_cast<std::uint8_t>(answer.size());
  std::copy(answer.begin(), answer.end(), to + kLengthBytes);
  out.size += kLengthBytes + answer.size();
  return true;
}

void on_relay_done(void* argument);

enum class Step { taken, later, bad };

/// The next whole question, if there is one and room for its answer. bad: this connection speaks no
/// DNS, end it.
Step take_question(Connection& connection) {
  if (connection.relay != nullptr || connection.in_size < kLengthBytes) return Step::later;
  const std::size_t size = std::size_t{connection.in[0]} << 8 | connection.in[1];
  if (size > kMaxQueryBytes || size == 0) return Step::bad;
  if (connection.in_size < kLengthBytes + size) return Step::later;
  const std::span<const std::uint8_t> packet(connection.in.data() + kLengthBytes, size);
  const Asked asked = read_asked(*service, packet, address_of(connection.pcb->remote_ip));
  std::size_t answer_size = 0;
  if (asked.forward) {
    connection.relay = forward_tcp(packet, asked.query, on_relay_done, &connection);
    if (connection.relay == nullptr) {
      answer_size = answer_failure(packet, asked.query.id, scratch());
    }
  } else {
    answer_size = answer_here(*service, asked, Transport::tcp, scratch());
  }
  if (connection.relay == nullptr) {
    if (answer_size == 0) return Step::bad;
    if (!append(connection, scratch().first(answer_size))) return Step::later;
    count_answer(*service, scratch().first(answer_size));
  }
  service->counters->add(Event::by_tcp);
  const auto begin = connection.in.begin();
  std::copy(begin + static_cast<std::ptrdiff_t>(kLengthBytes + size),
            begin + static_cast<std::ptrdiff_t>(connection.in_size), begin);
  connection.in_size -= kLengthBytes + size;
  return Step::taken;
}

/// Take no more questions; what is on its way still goes out.
void turn_deaf(Connection& connection) {
  connection.ended = true;
  connection.in_size = 0;
  if (connection.waiting != nullptr) pbuf_free(connection.waiting);
  connection.waiting = nullptr;
}

/// What every event ends with.
err_t go_on(Connection& connection) {
  turn_over(connection);
  Step step = Step::taken;
  while (step == Step::taken) {
    pull_in(connection);
    step = take_question(connection);
  }
  if (step == Step::bad) turn_deaf(connection);
  connection.out.push(connection.pcb);
  const bool done = connection.ended && connection.waiting == nullptr &&
                    connection.relay == nullptr && connection.out.through();
  if (done) return end(connection);
  return ERR_OK;
}

/// Called from the relay's connection, not from ours: what go_on() returns is for nobody.
void on_relay_done(void* argument) {
  auto& connection = *static_cast<Connection*>(argument);
  connection.active_ms = runtime::platform::monotonic_ms();
  go_on(connection);
}

err_t on_bytes(void* argument, tcp_pcb* pcb, pbuf* packet, err_t) {
  auto& connection = *static_cast<Connection*>(argument);
  connection.active_ms = runtime::platform::monotonic_ms();
  if (packet == nullptr) {
    connection.ended = true;
    return go_on(connection);
  }
  if (connection.ended) {
    tcp_recved(pcb, packet->tot_len);
    pbuf_free(packet);
    return ERR_OK;
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
  connection.out.acked += count;
  return go_on(connection);
}

err_t on_poll(void* argument, tcp_pcb* pcb) {
  auto& connection = *static_cast<Connection*>(argument);
  if (runtime::platform::monotonic_ms() - connection.active_ms >= kIdleMs) return end(connection);
  connection.out.push(pcb);
  return ERR_OK;
}

void on_error(void* argument, err_t) {
  if (argument != nullptr) forget(*static_cast<Connection*>(argument));
}

/// A place for a new connection: a free one, or that of the one that has been idle longest, so that
/// nobody keeps others out by asking nothing. nullptr: all are at work.
Connection* make_room() {
  Connection* oldest = nullptr;
  for (Connection& connection : connections) {
    if (connection.pcb == nullptr) return &connection;
    const bool idle = connection.out.through() && connection.relay == nullptr;
    if (!idle || (oldest != nullptr && oldest->active_ms <= connection.active_ms)) continue;
    oldest = &connection;
  }
  if (oldest != nullptr) end(*oldest);
  return oldest;
}

err_t on_connection(void*, tcp_pcb* pcb, err_t error) {
  if (error != ERR_OK || pcb == nullptr) return ERR_VAL;
  Connection* free = make_room();
  service->counters->add(free == nullptr ? Event::connection_refused : Event::connection);
  if (free == nullptr) {
    tcp_abort(pcb);
    return ERR_ABRT;
  }
  free->pcb = pcb;
  free->active_ms = runtime::platform::monotonic_ms();
  free->in_size = 0;
  free->out = {free->answers.data(), 0, 0, 0};
  free->relays = false;
  free->ended = false;
  tcp_arg(pcb, free);
  tcp_recv(pcb, on_bytes);
  tcp_sent(pcb, on_sent);
  tcp_poll(pcb, on_poll, kPollHalfSeconds);
  tcp_err(pcb, on_error);
  return ERR_OK;
}

}  // namespace

bool serve_tcp(const Service& given, std::uint16_t port) {
  service = &given;
  tcp_pcb* pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
  if (pcb == nullptr || tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) return false;
  pcb = tcp_listen_with_backlog(pcb, kMaxConnections);
  if (pcb == nullptr) return false;
  tcp_accept(pcb, on_connection);
  return true;
}

}  // namespace images::dns
