#include "proto/tls_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/websocket/error.hpp>
#include <chrono>

#include "proto/tls_engine.h"

namespace proto {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using tls_detail::Engine;

namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> split_address(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  HostPort parts;
  if (colon != std::string::npos) {
    parts.host = address.substr(0, colon);
    parts.port = address.substr(colon + 1);
  }
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  } else if (parts.host.find(':') != std::string::npos) {
    parts.host.clear();
  }
  const bool is_number = !parts.port.empty() && parts.port.size() <= 5 &&
                         parts.port.find_first_not_of("0123456789") == std::string::npos;
  if (parts.host.empty() || !is_number) {
    return Error{Code::bad_argument,
                 "\"" + address + "\" is no address; write HOST:PORT or [IPV6]:PORT", ""};
  }
  return parts;
}

void set_expiry(boost::beast::tcp_stream& tcp, Deadline deadline) {
  if (deadline.is_never()) {
    tcp.expires_never();
  } else {
    tcp.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::milliseconds(deadline.at_ms)));
  }
}

awaitable<error_code> handshake(std::shared_ptr<Engine> engine) {
  auto start = [engine](auto handler) {
    using Handler = decltype(handler);
    auto operation = std::make_unique<tls_detail::HandlerOperation<Handler>>(
        std::move(handler), engine->tcp().get_executor());
    engine->start_handshake(std::move(operation));
  };
  using Signature = void(error_code, std::size_t);
  auto [error, unused] = co_await asio::async_initiate<decltype(kAsTuple), Signature>(
      std::move(start), kAsTuple);
  co_return error;
}

awaitable<Result<TlsStream>> shake_hands(std::shared_ptr<Engine> engine, Deadline deadline,
                                         std::string with) {
  CO_TRY_VOID(engine->set_up());
  set_expiry(engine->tcp(), deadline);
  const error_code error = co_await handshake(engine);
  if (engine->refusal()) co_return engine->refusal()->with(with);
  if (error) co_return stream_error(error, "TLS handshake with " + with);
  engine->tcp().expires_never();
  co_return TlsStream(std::move(engine));
}

}  // namespace

TlsStream::TlsStream(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&& other) noexcept {
  if (this != &other) {
    if (engine_) engine_->fail(asio::error::operation_aborted);
    engine_ = std::move(other.engine_);
  }
  return *this;
}
TlsStream::~TlsStream() {
  if (engine_) engine_->fail(asio::error::operation_aborted);
}

TlsStream::executor_type TlsStream::get_executor() { return engine_->tcp().get_executor(); }
boost::beast::tcp_stream& TlsStream::next_layer() { return engine_->tcp(); }
const boost::beast::tcp_stream& TlsStream::next_layer() const { return engine_->tcp(); }
void TlsStream::expires_at(Deadline deadline) { set_expiry(engine_->tcp(), deadline); }
const PeerFacts& TlsStream::peer() const { return engine_->peer(); }
void TlsStream::close() { engine_->fail(asio::error::operation_aborted); }

std::string TlsStream::remote_address() const {
  error_code error;
  const tcp::endpoint endpoint = engine_->tcp().socket().remote_endpoint(error);
  if (error) return "";
  const std::string host = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

void TlsStream::close_engine(const std::weak_ptr<Engine>& engine) {
  const std::shared_ptr<Engine> alive = engine.lock();
  if (!alive) return;
  asio::post(alive->tcp().get_executor(),
             [alive] { alive->fail(asio::error::operation_aborted); });
}

void TlsStream::start_read(asio::mutable_buffer buffer,
                           std::unique_ptr<tls_detail::Operation> operation) {
  engine_->start_read(buffer, std::move(operation));
}
void TlsStream::begin_write() { engine_->begin_write(); }
bool TlsStream::add_to_write(asio::const_buffer buffer) { return engine_->add_to_write(buffer); }
void TlsStream::start_write(std::unique_ptr<tls_detail::Operation> operation) {
  engine_->start_write(std::move(operation));
}
void TlsStream::start_shutdown(std::unique_ptr<tls_detail::Operation> operation) {
  engine_->start_shutdown(std::move(operation));
}

awaitable<Result<TlsStream>> tls_connect(std::shared_ptr<TlsContext> context, std::string address,
                                         std::string host_name, Deadline deadline) {
  CO_TRY(const HostPort parts, split_address(address));
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  auto [resolve_error, endpoints] =
      co_await resolver.async_resolve(parts.host, parts.port, tcp::resolver::numeric_service,
                                      kAsTuple);
  if (resolve_error == asio::error::operation_aborted) {
    co_return Error{Code::cancelled, "cancelled", ""};
  }
  if (resolve_error) {
    co_return Error{Code::unreachable,
                    "no address for " + parts.host + ": " + resolve_error.message(), ""};
  }
  boost::beast::tcp_stream tcp(executor);
  set_expiry(tcp, deadline);
  auto [connect_error, endpoint] = co_await tcp.async_connect(endpoints, kAsTuple);
  if (connect_error) {
    Error error = stream_error(connect_error, "connecting to " + address);
    if (error.code == Code::io || error.code == Code::closed) error.code = Code::unreachable;
    co_return error;
  }
  error_code ignored;  // only latency is at stake
  tcp.socket().set_option(tcp::no_delay(true), ignored);
  auto engine = std::make_shared<Engine>(std::move(context), std::move(tcp), std::move(host_name));
  co_return co_await shake_hands(std::move(engine), deadline, std::move(address));
}

awaitable<Result<TlsStream>> tls_accept(std::shared_ptr<TlsContext> context, tcp::socket socket,
                                        Deadline deadline) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const tcp::endpoint remote = socket.remote_endpoint(ignored);
  std::string with = remote.address().to_string();
  boost::beast::tcp_stream tcp(std::move(socket));
  auto engine = std::make_shared<Engine>(std::move(context), std::move(tcp), "");
  co_return co_await shake_hands(std::move(engine), deadline, std::move(with));
}

Error stream_error(error_code error, std::string_view doing) {
  namespace beast = boost::beast;
  Code code = Code::io;
  if (error == beast::error::timeout) {
    code = Code::timeout;
  } else if (error == asio::error::operation_aborted) {
    code = Code::cancelled;
  } else if (error == asio::error::eof || error == asio::error::connection_reset ||
             error == asio::error::broken_pipe || error == asio::error::connection_aborted ||
             error == asio::error::not_connected || error == asio::error::bad_descriptor ||
             error == beast::http::error::end_of_stream ||
             error == beast::websocket::error::closed) {
    code = Code::closed;
  } else if (error == asio::error::connection_refused || error == asio::error::host_unreachable ||
             error == asio::error::network_unreachable || error == asio::error::network_down) {
    code = Code::unreachable;
  } else if (error == asio::error::no_permission) {
    code = Code::unauthenticated;
  } else if (error == beast::http::error::header_limit || error == beast::http::error::body_limit ||
             error == beast::websocket::error::message_too_big) {
    code = Code::too_large;
  }
  return Error{code, std::string(doing) + ": " + error.message(), ""};
}

void teardown(boost::beast::role_type, TlsStream& stream, error_code& error) {
  stream.close();
  error = {};
}

}  // namespace proto
