#include "agent/http_metrics.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <utility>

#include "proto/limits.h"
#include "proto/log.h"

namespace agent {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::int64_t kPatienceMs = 2000;  // a client that is slower holds up the next one
constexpr std::int64_t kAcceptAgainMs = 100;

Error no_loopback(const std::string& address) {
  return {Code::bad_argument,
          "--metrics-listen " + address + ": figures go out as plain HTTP, so only a loopback"
          " address will do, like 127.0.0.1:9105", ""};
}

Result<tcp::endpoint> parse(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  const char* const end = address.data() + address.size();
  if (colon == std::string::npos) return no_loopback(address);
  const auto [stop, bad] = std::from_chars(address.data() + colon + 1, end, port);
  if (bad != std::errc() || stop != end || port == 0) return no_loopback(address);
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  if (error || !ip.is_loopback()) return no_loopback(address);
  return tcp::endpoint(ip, port);
}

// The request's path; "" when none came in time.
proto::awaitable<std::string> read_path(tcp::socket& socket) {
  std::string so_far;
  std::array<char, 1024> piece{};
  while (so_far.size() < proto::kMaxHttpHeaderBytes) {
    const auto [ended, size] = co_await socket.async_read_some(asio::buffer(piece), kAwait);
    if (ended) co_return "";
    so_far.append(piece.data(), size);
    http::request_parser<http::empty_body> parser;
    parser.header_limit(proto::kMaxHttpHeaderBytes);
    boost::system::error_code error;
    parser.put(asio::buffer(so_far), error);
    if (error && error != http::error::need_more) co_return "";
    if (!parser.is_header_done()) continue;
    const auto target = parser.get().target();
    const bool reads = parser.get().method() == http::verb::get;
    co_return reads ? std::string(target.data(), target.size()) : std::string("other");
  }
  co_return "";
}

std::string answer_to(const std::string& path, const std::function<std::string()>& text) {
  const bool known = path == "/metrics";
  const std::string body = known ? text() : "see /metrics\n";
  return std::string(known ? "HTTP/1.1 200 OK" : "HTTP/1.1 404 Not Found") +
         "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close"
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

proto::awaitable<void> serve_one(tcp::socket& socket, proto::Clock& clock,
                                 const std::function<std::string()>& text) {
  const auto timer = clock.call_at(clock.now_ms() + kPatienceMs, [&socket] {
    boost::system::error_code ignored;
    socket.close(ignored);
  });
  const std::string path = co_await read_path(socket);
  if (!path.empty()) {
    const std::string answer = answer_to(path, text);
    co_await asio::async_write(socket, asio::buffer(answer), kAwait);
  }
  clock.cancel(timer);
}

}  // namespace

proto::awaitable<Status> serve_metrics(asio::io_context& loop, proto::Clock& clock,
                                       std::string address, std::function<std::string()> text) {
  CO_TRY(const tcp::endpoint endpoint, parse(address));
  boost::system::error_code error;
  tcp::acceptor acceptor(loop);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(4, error);
  if (error) {
    co_return Error{Code::io, "--metrics-listen " + address + ": " + error.message(), ""};
  }
  proto::log_info("metrics.served", {{"on", address}});
  while (true) {
    tcp::socket peer(loop);
    const auto [refused] = co_await acceptor.async_accept(peer, kAwait);
    if (refused == asio::error::operation_aborted) co_return Status();
    if (refused) {
      co_await proto::sleep_ms(clock, kAcceptAgainMs);
      continue;
    }
    co_await serve_one(peer, clock, text);
  }
}

}  // namespace agent
