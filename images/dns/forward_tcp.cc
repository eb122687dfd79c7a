#include "images/dns/forward_tcp.h"

#include <lwip/pbuf.h>
#include <lwip/tcp.h>

#include <algorithm>
#include <array>

#include "images/dns/net_address.h"
#include "images/runtime/net/tcp_out.h"
#include "images/runtime/platform.h"
#include "images/runtime/random.h"

namespace images::dns {
namespace {

constexpr std::uint8_t kPollHalfSeconds = 1;
constexpr std::uint64_t kTryMs = 3'000;  // for connecting, asking and answering
constexpr std::size_t kLengthBytes = 2;

}  // namespace

class Relay {
 public:
  bool is_free() const { return asker_ == nullptr; }
  bool is_done() const { return done_; }
  std::span<const std::uint8_t> answer() const { return {in_.data(), in_size_}; }

  bool begin(std::span<const std::uint8_t> packet, const Query& query, RelayDone done, void* asker);
  void release();

 private:
  bool try_next();
  bool connect();
  void give_up();
  void go_on_or_give_up();
  err_t leave();
  err_t take(pbuf* packet);
  err_t finish();

  static err_t on_connected(void* argument, tcp_pcb* pcb, err_t error);
  static err_t on_bytes(void* argument, tcp_pcb* pcb, pbuf* packet, err_t error);
  static err_t on_sent(void* argument, tcp_pcb* pcb, u16_t count);
  static err_t on_poll(void* argument, tcp_pcb* pcb);
  static void on_error(void* argument, err_t error);

  Forwarded forwarded_;
  tcp_pcb* pcb_ = nullptr;  // of this try
  std::array<std::uint8_t, kLengthBytes + kMaxQueryBytes> question_{};
  runtime::net::TcpOut out_;
  std::array<std::uint8_t, kLengthBytes + 65535> in_{};
  std::size_t in_size_ = 0;
  bool done_ = false;
  RelayDone tell_ = nullptr;
  void* asker_ = nullptr;  // nullptr: free
};

namespace {

const Service* service = nullptr;
Upstreams* upstreams = nullptr;
std::span<Relay> relays;

}  // namespace

bool Relay::begin(std::span<const std::uint8_t> packet, const Query& query, RelayDone done,
                  void* asker) {
  take_over(packet, query, forwarded_);
  done_ = false;
  tell_ = done;
  asker_ = asker;
  if (try_next()) return true;
  asker_ = nullptr;
  return false;
}

/// Begin the next try that can be begun. False: there is none left.
bool Relay::try_next() {
  for (;;) {
    const std::uint64_t now = runtime::platform::monotonic_ms();
    const auto id = static_cast<std::uint16_t>(runtime::random_u32());
    if (!begin_try(forwarded_, *upstreams, id, now)) return false;
    forwarded_.deadline_ms = now + kTryMs;
    if (forwarded_.tries > 1) service->counters->add(Event::forward_tried_again);
    if (connect()) return true;
  }
}

bool Relay::connect() {
  const Endpoint& server = (*upstreams)[forwarded_.upstream];
  const ip_addr_t address = to_lwip(server.address);
  pcb_ = tcp_new_ip_type(IP_GET_TYPE(&address));
  if (pcb_ == nullptr) return false;
  const auto packet = forwarded_.packet();
  question_[0] = static_cast<std::uint8_t>(packet.size() >> 8);
  question_[1] = static_cast<std::uint8_t>(packet.size());
  std::copy(packet.begin(), packet.end(), question_.begin() + kLengthBytes);
  out_ = {question_.data(), kLengthBytes + packet.size(), 0, 0};
  in_size_ = 0;
  tcp_arg(pcb_, this);
  tcp_recv(pcb_, on_bytes);
  tcp_sent(pcb_, on_sent);
  tcp_poll(pcb_, on_poll, kPollHalfSeconds);
  tcp_err(pcb_, on_error);
  if (tcp_connect(pcb_, &address, server.port, on_connected) == ERR_OK) return true;
  leave();
  return false;
}

/// End this try's connection. Returns what its callback must return.
err_t Relay::leave() {
  tcp_pcb* pcb = pcb_;
  pcb_ = nullptr;
  if (pcb == nullptr) return ERR_OK;
  return runtime::net::end_connection(pcb, out_.is_held());
}

void Relay::give_up() {
  service->counters->add(Event::forward_failed);
  const std::size_t size = answer_failure(forwarded_.packet(), forwarded_.asker_id,
                                          std::span(in_).subspan(kLengthBytes));
  in_[0] = static_cast<std::uint8_t>(size >> 8);
  in_[1] = static_cast<std::uint8_t>(size);
  in_size_ = kLengthBytes + size;
  done_ = true;
  tell_(asker_);
}

/// This try is over without an answer; its connection is gone.
void Relay::go_on_or_give_up() {
  upstreams->was_silent(forwarded_.upstream);
  if (!try_next()) give_up();
}

err_t Relay::take(pbuf* packet) {
  const std::size_t room = in_.size() - in_size_;
  const auto count = static_cast<u16_t>(std::min<std::size_t>(packet->tot_len, room));
  pbuf_copy_partial(packet, in_.data() + in_size_, count, 0);
  tcp_recved(pcb_, packet->tot_len);
  pbuf_free(packet);
  in_size_ += count;
  if (in_size_ < kLengthBytes) return ERR_OK;
  const std::size_t size = std::size_t{in_[0]} << 8 | in_[1];
  if (in_size_ < kLengthBytes + size) return ERR_OK;
  in_size_ = kLengthBytes + size;
  return finish();
}

/// A whole message came.
err_t Relay::finish() {
  const std::size_t size = in_size_ - kLengthBytes;
  const std::span<std::uint8_t> bytes = std::span(in_).subspan(kLengthBytes, size);
  const bool good = is_answer(forwarded_, bytes);
  if (!good) service->counters->add(Event::forward_forged);
  const err_t result = leave();
  if (!good || (is_failure(bytes) && forwarded_.tries < kForwardTries && upstreams->count() > 1)) {
    go_on_or_give_up();
    return result;
  }
  upstreams->answered(forwarded_.upstream);
  service->counters->add(Event::forward_answered);
  hand_back(forwarded_, bytes, true);
  done_ = true;
  tell_(asker_);
  return result;
}

void Relay::release() {
  leave();
  asker_ = nullptr;
}

err_t Relay::on_connected(void* argument, tcp_pcb* pcb, err_t) {
  static_cast<Relay*>(argument)->out_.push(pcb);
  return ERR_OK;
}

err_t Relay::on_bytes(void* argument, tcp_pcb*, pbuf* packet, err_t) {
  auto& relay = *static_cast<Relay*>(argument);
  if (packet != nullptr) return relay.take(packet);
  const err_t result = relay.leave();  // closed before its answer was whole
  relay.go_on_or_give_up();
  return result;
}

err_t Relay::on_sent(void* argument, tcp_pcb* pcb, u16_t count) {
  auto& relay = *static_cast<Relay*>(argument);
  relay.out_.acked += count;
  relay.out_.push(pcb);
  return ERR_OK;
}

err_t Relay::on_poll(void* argument, tcp_pcb* pcb) {
  auto& relay = *static_cast<Relay*>(argument);
  if (runtime::platform::monotonic_ms() < relay.forwarded_.deadline_ms) {
    if (pcb->state == ESTABLISHED) relay.out_.push(pcb);
    return ERR_OK;
  }
  const err_t result = relay.leave();
  relay.go_on_or_give_up();
  return result;
}

void Relay::on_error(void* argument, err_t) {
  if (argument == nullptr) return;
  auto& relay = *static_cast<Relay*>(argument);
  relay.pcb_ = nullptr;  // lwIP has freed it
  relay.go_on_or_give_up();
}

bool start_forward_tcp(const Service& given, Upstreams& servers, runtime::Arena& memory) {
  auto* places = memory.make_array<Relay>(kMaxRelays);
  if (places == nullptr) return false;
  service = &given;
  upstreams = &servers;
  relays = {places, kMaxRelays};
  return true;
}

Relay* forward_tcp(std::span<const std::uint8_t> packet, const Query& query, RelayDone done,
                   void* asker) {
  const auto free = std::find_if(relays.begin(), relays.end(),
                                 [](const Relay& relay) { return relay.is_free(); });
  if (free == relays.end() || !free->begin(packet, query, done, asker)) {
    service->counters->add(Event::forward_full);
    return nullptr;
  }
  service->counters->add(Event::forwarded);
  return &*free;
}

bool is_done(const Relay& relay) { return relay.is_done(); }

std::span<const std::uint8_t> answer_of(const Relay& relay) { return relay.answer(); }

void release(Relay& relay) { relay.release(); }

}  // namespace images::dns
