// HTTP/1.1 over TLS for operators and devices: requests in, answers out, uploads into a sink,
// files by range, event streams, and the upgrade to a device link. The only place of Beast here.
// It knows no route and no token: it asks the Handler, and cuts off who is slow or too large.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/async.h"
#include "proto/channel.h"
#include "proto/fd.h"
#include "proto/result.h"
#include "proto/tls.h"

namespace controller {

using proto::awaitable;

/// The cookie of a browser's session.
inline constexpr std::string_view kSessionCookie = "__Host-fleet";

/// A request as it came. Names of headers are lower-case; path and query are percent-decoded.
struct Request {
  std::string method;  // "GET"
  std::string path;    // "/v1/devices/edge-1"
  std::map<std::string, std::string> query;
  std::string bearer;           // of `authorization`, "" if none
  std::string cookie;           // of kSessionCookie, "" if none
  std::string csrf;             // of `x-csrf-token`
  std::string idempotency_key;
  std::string last_event_id;
  std::string body;             // "" when it went into a sink
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  std::string remote_address;
  proto::PeerFacts peer;        // the client's certificate, if any

  /// The query parameter, "" if it is not there.
  std::string parameter(const std::string& name) const;
};

/// Bytes of an open file; with a `Range: bytes=N-[M]` a part of it is sent as 206.
struct FileBody {
  proto::Fd file;
  std::uint64_t size_bytes = 0;
};

/// What is sent to a follower piece by piece, until it ends.
class Feed {
 public:
  virtual ~Feed() = default;
  /// The next bytes to send; "" = nothing until the deadline (a comment keeps the line open).
  /// errors any: the stream ends
  virtual awaitable<proto::Result<std::string>> next(proto::Deadline deadline) = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers;
  std::optional<FileBody> file;   // instead of body
  std::unique_ptr<Feed> feed;     // instead of body; content_type text/event-stream
};

/// Takes an upload as it comes. Dropped without finish() when the client went away: then nothing
/// that was written counts.
class Upload {
 public:
  virtual ~Upload() = default;
  virtual proto::Status write(std::span<const std::byte> bytes) = 0;
  virtual awaitable<Response> finish() = 0;
};

/// An answer now, or an upload to be taken first.
struct UploadStart {
  std::unique_ptr<Upload> upload;
  Response refusal;  // when there is no upload
};

/// Who answers. Called on the loop; several requests are under way at once.
class Handler {
 public:
  virtual ~Handler() = default;
  /// True when the body of this request goes into an Upload instead of memory.
  virtual bool is_upload(const Request& head) const = 0;
  virtual awaitable<UploadStart> start_upload(Request head) = 0;
  /// How large the body of this request may be in memory: little for who is not known.
  virtual std::size_t body_max_bytes(const Request& head) = 0;
  virtual awaitable<Response> handle(Request request) = 0;
  /// Whether this peer may open a device link; an Error is answered with its HTTP status.
  virtual proto::Status may_link(const Request& head) = 0;
  /// The link, until it ends.
  virtual awaitable<void> serve_link(std::unique_ptr<proto::Channel> channel) = 0;
};

/// {"code", "message", ...} with the status that fits the code.
Response error_response(const proto::Error& error, std::vector<std::string> nearest = {});
/// The HTTP status of an error code: 400, 401, 403, 404, 409, 413, 422, 503, 500.
int http_status_of(proto::Code code);
Response json_response(std::string body, int status = 200);

struct ListenOptions {
  std::string address;                    // HOST:PORT; unused with an inherited socket
  int inherited_socket = -1;              // a listening socket, taken over
  std::size_t connections_max = 15000;    // below the process's 20,000 descriptors
};

/// One TLS listener. serve() returns when the group is cancelled.
class HttpServer {
 public:
  /// All outlive the server. errors bad_argument (address) | io (in use: says by whom to look)
  static proto::Result<std::unique_ptr<HttpServer>> listen(
      boost::asio::io_context& loop, proto::Clock& clock, proto::TaskGroup& tasks,
      std::shared_ptr<proto::TlsContext> tls, Handler& handler, const ListenOptions& options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  awaitable<void> serve();
  /// "127.0.0.1:8443", with the port that was chosen for port 0.
  std::string local_address() const;
  std::size_t connections() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace controller
