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
constexpr std::size_t kMaxRelaysEach = kMaxRelays / 2;  // or one asker could take them all

/// One TCP connection: questions come in behind their lengths, answers go out as they are ready, as
/// many together as there is room for: our own at once, others' when they came (RFC 7766 section
/// 6.2.1.1).
struct Connection {
  tcp_pcb* pcb = nullptr;  // nullptr: free
  std::uint64_t active_ms = 0;
  std::array<std::uint8_t, kLengthBytes + kMaxQueryBytes> in{};
  std::size_t in_size = 0;
  pbuf* waiting = nullptr;  // came, but `in` has no room for all of it yet
  u16_t waiting_taken = 0;
  std::array<std::uint8_t, kLengthBytes + kMaxAnswerBytes> answers{};
  TcpOut out;                // `answers`, or the sender's
  std::array<Relay*, kMaxRelaysEach> relays{};  // nullptr: free
  Relay* sender = nullptr;   // one of them, whose answer is too long for `answers`
  bool ended = false;       // the other side sends no more
};

const Service* service = nullptr;
std::array<Connection, kMaxConnections> connections;

void forget(Connection& connection) {
  connection.pcb = nullptr;
  if (connection.waiting != nullptr) pbuf_free(connection.waiting);
  connection.waiting = nullptr;
  for (Relay*& relay : connection.relays) {
    if (relay != nullptr) release(*relay);
    relay = nullptr;
  }
  connection.sender = nullptr;
}

Relay** find_relay(Connection& connection, const Relay* relay) {
  const auto found = std::find(connection.relays.begin(), connection.relays.end(), relay);
  return found == connection.relays.end() ? nullptr : &*found;
}

bool has_relays(const Connection& connection) {
  return std::any_of(connection.relays.begin(), connection.relays.end(),
                     [](const Relay* relay) { return relay != nullptr; });
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

/// Put an answer behind those that are on their way. False: no room until they have arrived.
bool append(Connection& connection, std::span<const std::uint8_t> answer) {
  TcpOut& out = connection.out;
  if (connection.sender != nullptr) return false;
  if (kLengthBytes + answer.size() > connection.answers.size() - out.size) return false;
  std::uint8_t* to = connection.answers.data() + out.size;
  to[0] = static_cast<std::uint8_t>(answer.size() >> 8);
  to[1] = static_cast<std::uint8_t>(answer.size());
  std::copy(answer.begin(), answer.end(), to + kLengthBytes);
  out.size += kLengthBytes + answer.size();
  count_answer(*service, answer);
  return true;
}

/// Once all that went out has arrived, its place is free.
void turn_over(Connection& connection) {
  if (!connection.out.through()) return;
  if (connection.sender != nullptr) {
    *find_relay(connection, connection.sender) = nullptr;
    release(*connection.sender);
    connection.sender = nullptr;
  }
  connection.out = {connection.answers.data(), 0, 0, 0};
}

/// Put out the answers that other servers gave. False: one has no room until what is on its way has
/// arrived; nothing may be put out before it, or it could wait for ever.
bool put_relayed(Connection& connection) {
  for (Relay*& relay : connection.relays) {
    if (relay == nullptr || relay == connection.sender || !is_done(*relay)) continue;
    const auto answer = answer_of(*relay);
    if (append(connection, answer.subspan(kLengthBytes))) {
      release(*relay);
      relay = nullptr;
      continue;
    }
    if (connection.sender != nullptr || connection.out.size > 0) return false;
    connection.out = {answer.data(), answer.size(), 0, 0};
    connection.sender = relay;
    count_answer(*service, answer.subspan(kLengthBytes));
  }
  return true;
}

void on_relay_done(void* argument);

enum class Step { taken, later, bad };

/// What lies in scratch().
Step put(Connection& connection, std::size_t answer_size) {
  if (answer_size == 0) return Step::bad;
  return append(connection, scratch().first(answer_size)) ? Step::taken : Step::later;
}

Step answer_to(Connection& connection, const Asked& asked) {
  return put(connection, answer_here(*service, asked, Transport::tcp, scratch()));
}

/// later: other servers have as many of this connection's as they may.
Step forward(Connection& connection, std::span<const std::uint8_t> packet, const Query& query) {
  Relay** place = find_relay(connection, nullptr);
  if (place == nullptr) return Step::later;
  *place = forward_tcp(packet, query, on_relay_done, &connection);
  if (*place != nullptr) return Step::taken;
  return put(connection, answer_failure(packet, query.id, scratch()));
}

/// The next whole question, if there is one and room for its answer. bad: this connection speaks no
/// DNS, end it.
Step take_question(Connection& connection) {
  if (connection.sender != nullptr || connection.in_size < kLengthBytes) return Step::later;
  const std::size_t size = std::size_t{connection.in[0]} << 8 | connection.in[1];
  if (size > kMaxQueryBytes || size == 0) return Step::bad;
  if (connection.in_size < kLengthBytes + size) return Step::later;
  const std::span<const std::uint8_t> packet(connection.in.data() + kLengthBytes, size);
  const Asked asked = read_asked(*service, packet, address_of(connection.pcb->remote_ip));
  const Step step = asked.forward ? forward(connection, packet, asked.query)
                                  : answer_to(connection, asked);
  if (step != Step::taken) return step;
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
  Step step = put_relayed(connection) ? Step::taken : Step::later;
  while (step == Step::taken) {
    pull_in(connection);
    step = take_question(connection);
  }
  if (step == Step::bad) turn_deaf(connection);
  connection.out.push(connection.pcb);
  const bool done = connection.ended && connection.waiting == nullptr &&
                    !has_relays(connection) && connection.out.through();
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
    const bool idle = connection.out.through() && !has_relays(connection);
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
