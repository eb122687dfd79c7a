// An Asio stream over mbedTLS over beast::tcp_stream: Beast's HTTP and WebSocket work on top of it.
// One read and one write may be under way at once; the network sees one write at a time.
// After an expiry, an error or a cancelled operation the stream is closed and never reused.
// Heavy: include only where Beast is allowed (channel.cc, controller/http.cc, agent/http.cc).
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "proto/async.h"
#include "proto/tls.h"

namespace proto {

namespace tls_detail {

/// A read, write or shutdown that waits for its end; made by TlsStream, ended by the engine.
class Operation {
 public:
  virtual ~Operation() = default;
  /// Posts the handler; called once.
  virtual void complete(boost::system::error_code error, std::size_t size_bytes) = 0;
};

template <typename Handler>
class HandlerOperation final : public Operation {
 public:
  HandlerOperation(Handler handler, const boost::asio::any_io_executor& executor)
      : work_(boost::asio::get_associated_executor(handler, executor)),
        slot_(boost::asio::get_associated_cancellation_slot(handler)),
        handler_(std::move(handler)) {}
  void complete(boost::system::error_code error, std::size_t size_bytes) override {
    if (slot_.is_connected()) slot_.clear();
    auto executor = work_.get_executor();
    boost::asio::post(executor, boost::beast::bind_handler(std::move(handler_), error, size_bytes));
  }

 private:
  using Executor = boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>;
  boost::asio::executor_work_guard<Executor> work_;
  boost::asio::cancellation_slot slot_;
  Handler handler_;
};

class Engine;

}  // namespace tls_detail

class TlsStream {
 public:
  using executor_type = boost::asio::any_io_executor;
  using next_layer_type = boost::beast::tcp_stream;

  TlsStream(TlsStream&&) noexcept;
  TlsStream& operator=(TlsStream&&) noexcept;
  ~TlsStream();  // closes the socket; operations under way end with operation_aborted

  executor_type get_executor();
  next_layer_type& next_layer();
  const next_layer_type& next_layer() const;

  /// For operations begun after this call. After the expiry the stream is closed.
  void expires_at(Deadline deadline);
  void expires_never() { expires_at(Deadline::never()); }

  /// Who is at the other side.
  const PeerFacts& peer() const;
  /// "192.0.2.7:50312", "" when the socket is closed.
  std::string remote_address() const;
  /// Closes the socket now, without close_notify. Operations under way fail.
  void close();

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    boost::asio::mutable_buffer into;
    auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end; ++it) {
      into = *it;
      if (into.size() != 0) break;
    }
    auto start = [this](auto handler, boost::asio::mutable_buffer buffer) {
      start_read(buffer, make_operation(std::move(handler)));
    };
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        std::move(start), token, into);
  }

  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    auto start = [this](auto handler, const Buffers& from) {
      begin_write();
      auto end = boost::asio::buffer_sequence_end(from);
      for (auto it = boost::asio::buffer_sequence_begin(from); it != end; ++it) {
        if (!add_to_write(*it)) break;
      }
      start_write(make_operation(std::move(handler)));
    };
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        std::move(start), token, buffers);
  }

  /// Sends close_notify. Handler: void(error_code, size_t = 0).
  template <typename Token>
  auto async_shutdown(Token&& token) {
    auto start = [this](auto handler) { start_shutdown(make_operation(std::move(handler))); };
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        std::move(start), token);
  }

  explicit TlsStream(std::shared_ptr<tls_detail::Engine> engine);

 private:
  template <typename Handler>
  std::unique_ptr<tls_detail::Operation> make_operation(Handler handler) {
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) {
      std::weak_ptr<tls_detail::Engine> engine = engine_;
      slot.assign([engine](boost::asio::cancellation_type) { close_engine(engine); });
    }
    return std::make_unique<tls_detail::HandlerOperation<Handler>>(std::move(handler),
                                                                   get_executor());
  }
  static void close_engine(const std::weak_ptr<tls_detail::Engine>& engine);  // soon, not inside
  void start_read(boost::asio::mutable_buffer buffer, std::unique_ptr<tls_detail::Operation>);
  void begin_write();
  bool add_to_write(boost::asio::const_buffer buffer);
  void start_write(std::unique_ptr<tls_detail::Operation> operation);
  void start_shutdown(std::unique_ptr<tls_detail::Operation> operation);

  // Shared with the network operation under way, which may end after the stream is gone.
  std::shared_ptr<tls_detail::Engine> engine_;
};

/// Resolves, connects and shakes hands as a client.
/// in     address: HOST:PORT or [V6]:PORT; host_name: the name that the certificate must carry
/// errors unreachable | timeout | unauthenticated ("certificate of another CA: ...", host name,
///        dates, or refused by the server) | bad_argument (address) | cancelled
awaitable<Result<TlsStream>> tls_connect(std::shared_ptr<TlsContext> context, std::string address,
                                         std::string host_name, Deadline deadline);

/// Shakes hands as a server on an accepted socket.
/// errors unauthenticated (no certificate, another CA, dates) | timeout | closed | cancelled
awaitable<Result<TlsStream>> tls_accept(std::shared_ptr<TlsContext> context,
                                        boost::asio::ip::tcp::socket socket, Deadline deadline);

/// Turns an error of the stream, of Beast's timers or of the socket into ours.
/// timeout | cancelled | closed (end of stream, reset) | unreachable | unauthenticated | io
Error stream_error(boost::system::error_code error, std::string_view doing);

/// Beast's WebSocket ends a connection by these. They close and never wait for the other side.
void teardown(boost::beast::role_type role, TlsStream& stream, boost::system::error_code& error);

template <typename Handler>
void async_teardown(boost::beast::role_type, TlsStream& stream, Handler&& handler) {
  auto done = [kept = std::forward<Handler>(handler)](boost::system::error_code error,
                                                      std::size_t) mutable { kept(error); };
  stream.async_shutdown(std::move(done));
}

}  // namespace proto
