#include "proto/channel.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <google/protobuf/stubs/logging.h>

#include "proto/channel_accept.h"
#include "proto/limits.h"
#include "proto/tls_stream.h"

namespace proto {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using fleet::v1::Envelope;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::int64_t kCloseMs = 2000;
constexpr std::size_t kKeptBufferBytes = 4 * kKiB;  // what an idle link keeps for its next message

Error closed_error() { return Error{Code::closed, "the link is closed", ""}; }

Result<std::string> serialize(const Envelope& envelope) {
  if (envelope.ByteSizeLong() > kMaxEnvelopeBytes) {
    return Error{Code::too_large, "a message of " + std::to_string(envelope.ByteSizeLong()) +
                                      " bytes is over the link's 1 MiB", ""};
  }
  return envelope.SerializeAsString();
}

class WebSocketChannel final : public Channel {
 public:
  // Without compression: Envelopes are small, and a window costs more memory than a connection may.
  using Socket = websocket::stream<TlsStream, false>;

  WebSocketChannel(Clock& clock, TlsStream stream, ChannelOptions options)
      : clock_(clock),
        peer_(stream.peer()),
        remote_address_(stream.remote_address()),
        socket_(std::move(stream)),
        turn_(clock) {
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = websocket::stream_base::none();  // an Alarm watches it
    timeouts.idle_timeout = std::chrono::milliseconds(options.idle_ms);
    timeouts.keep_alive_pings = true;
    socket_.set_option(timeouts);
    socket_.binary(true);
    socket_.auto_fragment(false);  // a buffer of 4 KiB less for an idle link
    socket_.read_message_max(kMaxEnvelopeBytes);
  }

  awaitable<Status> open_as_client(std::string host_name, Deadline deadline);
  awaitable<Status> open_as_server(
      const beast::http::request<beast::http::string_body>& request, Deadline deadline);

  awaitable<Result<Envelope>> receive(Deadline deadline) override;
  awaitable<Status> send(Envelope envelope) override;
  awaitable<void> close() override;
  void abort() override {
    open_ = false;
    socket_.next_layer().close();
    turn_.notify();
  }
  bool is_open() const override { return open_ && socket_.is_open(); }
  const PeerFacts& peer() const override { return peer_; }
  std::string remote_address() const override { return remote_address_; }
  Counts counts() const override { return counts_; }

 private:
  // A place in the queue of senders; leaves it however the sender goes.
  struct Turn {
    explicit Turn(WebSocketChannel& c) : channel(c) { channel.senders_.push_back(this); }
    ~Turn() {
      std::erase(channel.senders_, this);
      channel.turn_.notify();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool is_mine() const { return channel.senders_.front() == this; }
    WebSocketChannel& channel;
  };

  Result<Envelope> take_message();

  Clock& clock_;
  PeerFacts peer_;
  std::string remote_address_;
  Socket socket_;
  beast::flat_buffer buffer_{kMaxEnvelopeBytes};
  Notifier turn_;
  std::deque<Turn*> senders_;
  Counts counts_;
  bool open_ = true;
};

awaitable<Status> WebSocketChannel::open_as_client(std::string host_name, Deadline deadline) {
  bool late = false;
  std::function<void()> wake = [this, &late] {
    late = true;
    abort();
  };
  const Alarm alarm(clock_, deadline, std::move(wake));
  websocket::response_type response;
  auto [error] = co_await socket_.async_handshake(response, host_name, kLinkPath, kAsTuple);
  if (!error) co_return Status();
  open_ = false;
  if (late) co_return Error{Code::timeout, "the controller did not answer in time", ""};
  if (error != websocket::error::upgrade_declined) {
    co_return stream_error(error, "opening the link");
  }
  const unsigned status = response.result_int();
  Code code = Code::unavailable;
  if (status == 401) code = Code::unauthenticated;
  if (status == 403) code = Code::forbidden;
  co_return Error{code, "the controller refused the link: HTTP " + std::to_string(status), ""};
}

awaitable<Status> WebSocketChannel::open_as_server(
    const beast::http::request<beast::http::string_body>& request, Deadline deadline) {
  bool late = false;
  std::function<void()> wake = [this, &late] {
    late = true;
    abort();
  };
  const Alarm alarm(clock_, deadline, std::move(wake));
  auto [error] = co_await socket_.async_accept(request, kAsTuple);
  if (!error) co_return Status();
  open_ = false;
  if (late) co_return Error{Code::timeout, "the device did not take the link in time", ""};
  if (error.category() == websocket::make_error_code(websocket::error::closed).category()) {
    co_return Error{Code::bad_argument, "no WebSocket upgrade: " + error.message(), ""};
  }
  co_return stream_error(error, "taking the link");
}

awaitable<Result<Envelope>> WebSocketChannel::receive(Deadline deadline) {
  if (!open_) co_return closed_error();
  bool late = false;
  std::function<void()> wake = [this, &late] {
    late = true;
    abort();
  };
  const Alarm alarm(clock_, deadline, std::move(wake));
  auto [error, size_bytes] = co_await socket_.async_read(buffer_, kAsTuple);
  if (error) {
    const bool aborted = !open_;
    abort();
    if (late) co_return Error{Code::timeout, "no message came in time", ""};
    Error mapped = stream_error(error, "reading from the link");
    if (error == beast::error::timeout) {
      mapped = Error{Code::closed, "the link was silent for too long", ""};
    } else if (error == websocket::error::buffer_overflow) {
      mapped.code = Code::too_large;
    } else if (error == asio::error::operation_aborted && aborted) {
      mapped = closed_error();
    }
    co_return mapped;
  }
  co_return take_message();
}

Result<Envelope> WebSocketChannel::take_message() {
  Envelope envelope;
  const auto data = buffer_.cdata();
  // Protobuf would write a line of its own for each bad byte of a stranger.
  const google::protobuf::LogSilencer quiet;
  const bool parsed = socket_.got_binary() &&
                      envelope.ParseFromArray(data.data(), static_cast<int>(data.size()));
  ++counts_.received;
  counts_.received_bytes += data.size();
  buffer_.consume(buffer_.size());
  if (buffer_.capacity() > kKeptBufferBytes) buffer_.shrink_to_fit();
  if (!parsed) {
    abort();
    return Error{Code::bad_argument, "a message on the link is no Envelope", ""};
  }
  return envelope;
}

awaitable<Status> WebSocketChannel::send(Envelope envelope) {
  CO_TRY(const std::string bytes, serialize(envelope));
  envelope.Clear();
  if (senders_.size() >= kMaxQueuedSends) {
    co_return Error{Code::unavailable, "too many messages wait to be sent", ""};
  }
  const Turn turn(*this);
  while (open_ && !turn.is_mine()) co_await turn_.wait(Deadline::never());
  if (!open_) co_return closed_error();
  auto [error, size_bytes] = co_await socket_.async_write(asio::buffer(bytes), kAsTuple);
  if (error) {
    const bool aborted = !open_;
    abort();
    if (aborted) co_return closed_error();
    co_return stream_error(error, "writing to the link");
  }
  ++counts_.sent;
  counts_.sent_bytes += bytes.size();
  co_return Status();
}

awaitable<void> WebSocketChannel::close() {
  if (!open_) co_return;
  open_ = false;
  turn_.notify();
  std::function<void()> wake = [this] { abort(); };
  const Alarm alarm(clock_, Deadline::after(clock_, kCloseMs), std::move(wake));
  const websocket::close_reason reason(websocket::close_code::normal);
  co_await socket_.async_close(reason, kAsTuple);
  abort();
}

// --- in memory ---

struct Pipe {
  explicit Pipe(Clock& clock) : changed(clock) {}
  std::deque<Envelope> queue;
  Notifier changed;
};

struct PairState {
  explicit PairState(Clock& c) : clock(c), pipes{Pipe(c), Pipe(c)} {}
  Clock& clock;
  Pipe pipes[2];  // [i] is read by end i
  bool open = true;
};

class MemoryChannel final : public Channel {
 public:
  MemoryChannel(std::shared_ptr<PairState> state, int end, PeerFacts peer)
      : state_(std::move(state)), end_(end), peer_(std::move(peer)) {}
  ~MemoryChannel() override { abort(); }

  awaitable<Result<Envelope>> receive(Deadline deadline) override {
    const std::shared_ptr<PairState> state = state_;
    Pipe& mine = state->pipes[end_];
    // What was sent before a close is still received, as over a network.
    while (mine.queue.empty() && state->open) {
      const bool notified = co_await mine.changed.wait(deadline);
      if (notified || !mine.queue.empty() || !state->open) continue;
      abort();
      if (deadline.passed(state->clock)) {
        co_return Error{Code::timeout, "no message came in time", ""};
      }
      co_return Error{Code::cancelled, "cancelled", ""};
    }
    if (mine.queue.empty()) co_return closed_error();
    Envelope envelope = std::move(mine.queue.front());
    mine.queue.pop_front();
    ++counts_.received;
    counts_.received_bytes += envelope.ByteSizeLong();
    co_return envelope;
  }

  awaitable<Status> send(Envelope envelope) override {
    if (!state_->open) co_return closed_error();
    CO_TRY(const std::string bytes, serialize(envelope));
    Pipe& other = state_->pipes[1 - end_];
    if (other.queue.size() >= kMaxQueuedSends) {
      co_return Error{Code::unavailable, "too many messages wait to be sent", ""};
    }
    other.queue.push_back(std::move(envelope));
    ++counts_.sent;
    counts_.sent_bytes += bytes.size();
    other.changed.notify();
    co_return Status();
  }

  awaitable<void> close() override {
    abort();
    co_return;
  }
  void abort() override {
    state_->open = false;
    for (Pipe& pipe : state_->pipes) pipe.changed.notify();
  }
  bool is_open() const override { return state_->open; }
  const PeerFacts& peer() const override { return peer_; }
  std::string remote_address() const override { return "memory"; }
  Counts counts() const override { return counts_; }

 private:
  std::shared_ptr<PairState> state_;  // the other owner is the other end
  int end_;
  PeerFacts peer_;
  Counts counts_;
};

}  // namespace

awaitable<Result<std::unique_ptr<Channel>>> connect_channel(Clock& clock,
                                                            std::shared_ptr<TlsContext> context,
                                                            std::string address,
                                                            std::string host_name,
                                                            ChannelOptions options,
                                                            Deadline deadline) {
  CO_TRY(TlsStream stream, co_await tls_connect(std::move(context), address, host_name, deadline));
  auto channel = std::make_unique<WebSocketChannel>(clock, std::move(stream), options);
  CO_TRY_VOID(co_await channel->open_as_client(std::move(host_name), deadline));
  co_return std::unique_ptr<Channel>(std::move(channel));
}

awaitable<Result<std::unique_ptr<Channel>>> accept_channel(
    Clock& clock, TlsStream stream, beast::http::request<beast::http::string_body> request,
    ChannelOptions options, Deadline deadline) {
  stream.expires_never();
  auto channel = std::make_unique<WebSocketChannel>(clock, std::move(stream), options);
  CO_TRY_VOID(co_await channel->open_as_server(request, deadline));
  co_return std::unique_ptr<Channel>(std::move(channel));
}

std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> make_channel_pair(
    Clock& clock, PeerFacts peer_of_first, PeerFacts peer_of_second) {
  auto state = std::make_shared<PairState>(clock);
  auto first = std::make_unique<MemoryChannel>(state, 0, std::move(peer_of_first));
  auto second = std::make_unique<MemoryChannel>(state, 1, std::move(peer_of_second));
  return {std::move(first), std::move(second)};
}

}  // namespace proto
