#include "agent/http.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "proto/tls_stream.h"

namespace agent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using proto::Code;
using proto::Error;
using proto::Result;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxAnswerBytes = 1 * proto::kMiB;  // a certificate and what is wanted here

}  // namespace

Result<unsigned> parse_http_status(std::string_view so_far) {
  http::response_parser<http::empty_body> parser;
  parser.header_limit(proto::kMaxHttpHeaderBytes);
  parser.body_limit(boost::none);
  parser.skip(true);  // the status is all that a probe looks at
  boost::system::error_code error;
  parser.put(asio::buffer(so_far.data(), so_far.size()), error);
  if (error == http::error::need_more) return 0u;
  if (error) return Error{Code::bad_argument, "no HTTP answer: " + error.message(), ""};
  if (!parser.is_header_done()) return 0u;
  return static_cast<unsigned>(parser.get().result_int());
}

proto::awaitable<Result<HttpAnswer>> post_json(std::shared_ptr<proto::TlsContext> context,
                                               PostRequest request, proto::Deadline deadline) {
  CO_TRY(proto::TlsStream stream,
         co_await proto::tls_connect(std::move(context), request.address, request.host_name,
                                     deadline));
  stream.expires_at(deadline);
  http::request<http::string_body> message(http::verb::post, request.path, 11);
  message.set(http::field::host, request.host_name);
  message.set(http::field::content_type, "application/json");
  message.set(http::field::connection, "close");
  message.body() = std::move(request.json);
  message.prepare_payload();
  const auto [unsent, sent] = co_await http::async_write(stream, message, kAwait);
  if (unsent) co_return proto::stream_error(unsent, "sending to " + request.address);

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.header_limit(proto::kMaxHttpHeaderBytes);
  parser.body_limit(kMaxAnswerBytes);
  const auto [unread, read] = co_await http::async_read(stream, buffer, parser, kAwait);
  stream.close();
  if (unread == http::error::body_limit) {
    co_return Error{Code::too_large, "the controller's answer is larger than 1 MiB", ""};
  }
  if (unread) co_return proto::stream_error(unread, "the answer of " + request.address);
  HttpAnswer answer;
  answer.status = parser.get().result_int();
  answer.body = std::move(parser.get().body());
  co_return answer;
}

}  // namespace agent
