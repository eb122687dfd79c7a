#include "controller/http.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <charconv>
#include <cstring>
#include <utility>

#include "controller/http_text.h"
#include "proto/channel_accept.h"
#include "proto/limits.h"
#include "proto/log.h"
#include "proto/tls_stream.h"

namespace controller {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using proto::Code;
using proto::Deadline;
using proto::Error;
using proto::Result;
using proto::Status;
using Tcp = asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::int64_t kHandshakeMs = 10000;
constexpr std::int64_t kHeaderMs = 15000;     // slow headers hold a connection no longer than this
constexpr std::int64_t kKeepAliveMs = 75000;
constexpr std::int64_t kBodyPieceMs = 20000;  // each piece of a body, in or out
constexpr std::int64_t kFeedBeatMs = 15000;   // a comment on a silent event stream
constexpr std::int64_t kLinkIdleMs = 30000;
constexpr std::size_t kPieceBytes = 64 * proto::kKiB;

using EmptyParser = http::request_parser<http::empty_body>;

std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

/// One connection: requests one after the other until either side has enough.
class Connection {
 public:
  Connection(proto::TlsStream stream, proto::Clock& clock, Handler& handler)
      : stream_(std::move(stream)), clock_(clock), handler_(handler) {}

  awaitable<void> run() {
    bool go_on = true;
    bool first = true;
    while (go_on) {
      go_on = co_await one_request(first ? kHeaderMs : kKeepAliveMs);
      first = false;
    }
    if (linked_) co_return;
    stream_.expires_at(Deadline::after(clock_, 2000));
    co_await stream_.async_shutdown(kAwait);
    stream_.close();
  }

 private:
  awaitable<bool> one_request(std::int64_t wait_ms) {
    EmptyParser head;
    head.header_limit(static_cast<std::uint32_t>(proto::kMaxHttpHeaderBytes));
    head.body_limit(boost::none);  // judged below, by route
    stream_.expires_at(Deadline::after(clock_, wait_ms));
    const auto [error, size] = co_await http::async_read_header(stream_, buffer_, head, kAwait);
    if (error) {
      if (error == http::error::header_limit) co_await refuse_header();
      co_return false;
    }
    Result<Request> request = read_head(head);
    if (!request) {
      co_await write(error_response(request.error()), false, false);
      co_return false;
    }
    if (beast::websocket::is_upgrade(head.get())) {
      co_await upgrade(head, std::move(*request));
      co_return false;
    }
    if (text_of(head.get()[http::field::expect]) == "100-continue") {
      if (!co_await send_continue()) co_return false;
    }
    const bool keep = head.get().keep_alive();
    if (handler_.is_upload(*request)) co_return co_await upload(head, std::move(*request), keep);
    co_return co_await answer(head, std::move(*request), keep);
  }

  awaitable<void> refuse_header() {
    co_await write(error_response(Error{Code::too_large, "the request's header is over 8 KiB", ""}),
                   false, false);
  }

  awaitable<bool> send_continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    stream_.expires_at(Deadline::after(clock_, kBodyPieceMs));
    const auto buffer = asio::buffer(kContinue.data(), kContinue.size());
    const auto [error, size] = co_await asio::async_write(stream_, buffer, kAwait);
    co_return !error;
  }

  Result<Request> read_head(const EmptyParser& parser) const {
    const auto& message = parser.get();
    Request request;
    request.method = text_of(message.method_string());
    TRY_VOID(split_target(text_of(message.target()), request));
    const std::string authorization = text_of(message[http::field::authorization]);
    if (authorization.rfind("Bearer ", 0) == 0) request.bearer = authorization.substr(7);
    request.cookie = cookie_named(kSessionCookie, text_of(message[http::field::cookie]));
    request.csrf = text_of(message["X-CSRF-Token"]);
    request.idempotency_key = text_of(message["Idempotency-Key"]);
    request.last_event_id = text_of(message["Last-Event-ID"]);
    request.remote_address = stream_.remote_address();
    request.peer = stream_.peer();
    const auto length = parser.content_length();
    request.has_content_length = length.has_value();
    request.content_length = length.value_or(0);
    range_ = text_of(message[http::field::range]);
    return request;
  }

  awaitable<void> upgrade(EmptyParser& head, Request request) {
    const Status may = request.path == proto::kLinkPath
                           ? handler_.may_link(request)
                           : Status(Error{Code::not_found, "no such link: " + request.path, ""});
    if (!may) {
      co_await write(error_response(may.error()), false, false);
      co_return;
    }
    http::request<http::string_body> message(std::move(head.get().base()));
    linked_ = true;
    buffer_.clear();  // this frame lasts as long as the link
    buffer_.shrink_to_fit();
    stream_.expires_never();
    proto::ChannelOptions options;
    options.idle_ms = kLinkIdleMs;
    const Deadline deadline = Deadline::after(clock_, kHandshakeMs);
    Result<std::unique_ptr<proto::Channel>> channel = co_await proto::accept_channel(
        clock_, std::move(stream_), std::move(message), options, deadline);
    if (channel) co_await handler_.serve_link(std::move(*channel));
  }

  awaitable<bool> answer(EmptyParser& head, Request request, bool keep) {
    http::request_parser<http::string_body> parser(std::move(head));
    const std::size_t body_max = handler_.body_max_bytes(request);
    parser.body_limit(body_max);
    stream_.expires_at(Deadline::after(clock_, 3 * kBodyPieceMs));
    const auto [error, size] = co_await http::async_read(stream_, buffer_, parser, kAwait);
    if (error == http::error::body_limit) {
      co_await write(error_response(Error{Code::too_large,
                                           "the body is over " + std::to_string(body_max) +
                                               " bytes", ""}),
                     false, false);
      co_return false;
    }
    if (error) co_return false;
    request.body = std::move(parser.get().body());
    const bool head_only = request.method == "HEAD";
    Response response = co_await handler_.handle(std::move(request));
    co_return co_await write(std::move(response), head_only, keep);
  }

  awaitable<bool> upload(EmptyParser& head, Request request, bool keep) {
    http::request_parser<http::buffer_body> parser(std::move(head));
    parser.body_limit(proto::kMaxImageBytes);
    UploadStart start = co_await handler_.start_upload(std::move(request));
    if (!start.upload) {
      // The body was not read, so nothing more can be on this connection.
      co_await write(std::move(start.refusal), false, false);
      co_return false;
    }
    std::vector<std::byte> piece(kPieceBytes);
    while (!parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      stream_.expires_at(Deadline::after(clock_, kBodyPieceMs));
      const auto [error, size] = co_await http::async_read(stream_, buffer_, parser, kAwait);
      if (error && error != http::error::need_buffer) co_return false;
      const std::size_t got = piece.size() - parser.get().body().size;
      const Status written = start.upload->write(std::span(piece.data(), got));
      if (!written) {
        co_await write(error_response(written.error()), false, false);
        co_return false;
      }
    }
    Response response = co_await start.upload->finish();
    co_return co_await write(std::move(response), false, keep);
  }

  awaitable<bool> write(Response response, bool head_only, bool keep) {
    if (response.feed) {
      co_await write_feed(std::move(response));
      co_return false;
    }
    if (response.file) co_return co_await write_file(std::move(response), head_only, keep);
    http::response<http::string_body> message = head_of<http::string_body>(response, keep);
    message.content_length(response.body.size());
    if (!head_only) message.body() = std::move(response.body);
    stream_.expires_at(Deadline::after(clock_, 3 * kBodyPieceMs));
    http::serializer<false, http::string_body> serializer(message);
    if (head_only) {
      const auto [error, size] = co_await http::async_write_header(stream_, serializer, kAwait);
      co_return !error && keep;
    }
    const auto [error, size] = co_await http::async_write(stream_, serializer, kAwait);
    co_return !error && keep;
  }

  template <typename Body>
  static http::response<Body> head_of(const Response& response, bool keep) {
    http::response<Body> message(static_cast<http::status>(response.status), 11);
    if (!response.content_type.empty()) {
      message.set(http::field::content_type, response.content_type);
    }
    message.set(http::field::cache_control, "no-store");
    message.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) message.set(name, value);
    message.keep_alive(keep);
    return message;
  }

  awaitable<bool> write_file(Response response, bool head_only, bool keep) {
    const FileBody& file = *response.file;
    const Result<ByteRange> range = parse_range(range_, file.size_bytes);
    if (!range) {
      Response refusal = error_response(range.error());
      refusal.status = 416;
      refusal.headers["Content-Range"] = "bytes */" + std::to_string(file.size_bytes);
      co_return co_await write(std::move(refusal), head_only, keep);
    }
    if (range->partial) {
      response.status = 206;
      response.headers["Content-Range"] = range->content_range(file.size_bytes);
    }
    response.headers["Accept-Ranges"] = "bytes";
    auto message = head_of<http::empty_body>(response, keep);
    message.content_length(range->length);
    http::serializer<false, http::empty_body> serializer(message);
    stream_.expires_at(Deadline::after(clock_, kBodyPieceMs));
    const auto [error, size] = co_await http::async_write_header(stream_, serializer, kAwait);
    if (error) co_return false;
    if (head_only) co_return keep;
    const bool sent = co_await write_range(file, range->offset, range->length);
    co_return sent && keep;
  }

  awaitable<bool> write_range(const FileBody& file, std::uint64_t offset, std::uint64_t length) {
    std::vector<char> piece(static_cast<std::size_t>(std::min<std::uint64_t>(length, kPieceBytes)));
    while (length > 0) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(length, piece.size()));
      const ssize_t got = ::pread(file.file.get(), piece.data(), want, static_cast<off_t>(offset));
      if (got <= 0) co_return false;  // shorter than announced: the client must see a cut
      const auto read = static_cast<std::size_t>(got);
      stream_.expires_at(Deadline::after(clock_, kBodyPieceMs));
      const auto buffer = asio::buffer(piece.data(), read);
      const auto [error, size] = co_await asio::async_write(stream_, buffer, kAwait);
      if (error) co_return false;
      offset += read;
      length -= read;
    }
    co_return true;
  }

  awaitable<void> write_feed(Response response) {
    response.headers["X-Accel-Buffering"] = "no";
    auto message = head_of<http::empty_body>(response, false);
    http::serializer<false, http::empty_body> serializer(message);
    stream_.expires_at(Deadline::after(clock_, kBodyPieceMs));
    const auto [error, size] = co_await http::async_write_header(stream_, serializer, kAwait);
    bool open = !error;
    while (open) {
      const Deadline beat = Deadline::after(clock_, kFeedBeatMs);
      Result<std::string> piece = co_await response.feed->next(beat);
      if (!piece) break;
      if (piece->empty()) *piece = ": still here\n\n";
      stream_.expires_at(Deadline::after(clock_, kBodyPieceMs));
      const auto buffer = asio::buffer(*piece);
      const auto [failed, count] = co_await asio::async_write(stream_, buffer, kAwait);
      open = !failed;
    }
  }

  proto::TlsStream stream_;
  proto::Clock& clock_;
  Handler& handler_;
  beast::flat_buffer buffer_{proto::kMaxHttpHeaderBytes + kPieceBytes};
  mutable std::string range_;
  bool linked_ = false;
};

Result<Tcp::endpoint> parse_endpoint(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  const char* end = address.data() + address.size();
  if (colon != std::string::npos) {
    const auto [stop, error] = std::from_chars(address.data() + colon + 1, end, port);
    if (error == std::errc() && stop == end) {
      std::string host = address.substr(0, colon);
      if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
      if (host.empty()) host = "0.0.0.0";
      boost::system::error_code bad;
      const auto ip = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, bad);
      if (!bad) return Tcp::endpoint(ip, port);
    }
  }
  return Error{Code::bad_argument,
               "listen address " + address + " is not ADDRESS:PORT, for example 0.0.0.0:8444", ""};
}

}  // namespace

struct HttpServer::State {
  asio::io_context& loop;
  proto::Clock& clock;
  proto::TaskGroup& tasks;
  std::shared_ptr<proto::TlsContext> tls;  // shared with the streams made of it
  Handler& handler;
  Tcp::acceptor acceptor;
  std::size_t connections_max;
  std::size_t connections = 0;

  /// Counts a connection for as long as its task lives, also when the task is cancelled.
  struct Counted {
    explicit Counted(std::size_t& of) : count(of) { ++count; }
    ~Counted() { --count; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    std::size_t& count;
  };

  awaitable<void> serve_one(Tcp::socket socket) {
    const Counted counted(connections);
    boost::system::error_code ignored;
    socket.set_option(Tcp::no_delay(true), ignored);
    const Deadline deadline = Deadline::after(clock, kHandshakeMs);
    Result<proto::TlsStream> stream = co_await proto::tls_accept(tls, std::move(socket), deadline);
    if (!stream) co_return;
    Connection connection(std::move(*stream), clock, handler);
    co_await connection.run();
  }
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(asio::io_context& loop, proto::Clock& clock,
                                                       proto::TaskGroup& tasks,
                                                       std::shared_ptr<proto::TlsContext> tls,
                                                       Handler& handler,
                                                       const ListenOptions& options) {
  Tcp::acceptor acceptor(loop);
  boost::system::error_code error;
  if (options.inherited_socket >= 0) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(options.inherited_socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
      return Error{Code::bad_argument, "the inherited descriptor is no socket", ""};
    }
    const auto protocol = name.ss_family == AF_INET6 ? Tcp::v6() : Tcp::v4();
    acceptor.assign(protocol, options.inherited_socket, error);
  } else {
    TRY(const Tcp::endpoint endpoint, parse_endpoint(options.address));
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(1024, error);
  }
  if (error) {
    return Error{Code::io,
                 "listening on " + options.address + ": " + error.message() +
                     "; choose another address, or see who has it: ss -ltnp", ""};
  }
  auto state = std::unique_ptr<State>(new State{
      loop, clock, tasks, std::move(tls), handler, std::move(acceptor), options.connections_max});
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

awaitable<void> HttpServer::serve() {
  State& state = *state_;
  while (!state.tasks.closed()) {
    auto [error, socket] = co_await state.acceptor.async_accept(kAwait);
    if (error == asio::error::operation_aborted) co_return;
    if (error || state.connections >= state.connections_max) {
      // No descriptors left, or a flood: breathe, the clients come again.
      co_await proto::sleep_ms(state.clock, 50);
      continue;
    }
    state.tasks.spawn("http.connection", state.serve_one(std::move(socket)));
  }
}

std::string HttpServer::local_address() const {
  boost::system::error_code error;
  const Tcp::endpoint endpoint = state_->acceptor.local_endpoint(error);
  if (error) return "";
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

std::size_t HttpServer::connections() const { return state_->connections; }

}  // namespace controller
