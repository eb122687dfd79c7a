// The only HTTP client: HTTPS to one controller by libcurl, always checked against the context's
// CA. No redirects, no proxies, no compression; every answer has a size limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ota/hash.h"
#include "proto/result.h"

namespace fleetctl {

struct HttpResponse {
  int status = 0;
  std::string body;
};

struct HttpRequest {
  std::string method = "GET";
  std::string path{};                // "/v1/devices?selector=..."
  std::string body{};                // JSON, when not empty
  std::vector<std::string> headers{};  // "Idempotency-Key: ..."
  std::size_t max_bytes = 0;         // of the answer; 0: kMaxHttpJsonBytes
};

/// Bytes that are read as they are sent.
struct HttpUpload {
  std::string path;
  int descriptor = -1;               // borrowed; read from offset 0
  std::uint64_t size_bytes = 0;
  std::function<void(std::uint64_t sent_bytes)> on_progress;
};

/// A stream that stays open. `on_bytes` and `on_tick` (about five times a second, also when nothing
/// comes) return false to end it, which is no error.
struct HttpStream {
  std::string path;
  std::string last_event_id;
  std::function<bool(std::string_view bytes)> on_bytes;
  std::function<bool()> on_tick;
};

/// One connection, kept between requests. A resource.
/// errors of all: unreachable (nothing listens, a name that is not known) | timeout | closed
///        unauthenticated (the certificate is not of the context's CA, or of another host)
///        cancelled (Ctrl-C) | too_large | internal
class HttpClient {
 public:
  struct Options {
    std::string base_url;            // "https://fleet.example.net:8443"
    std::string ca_file;
    ota::Secret token;
    const std::atomic<bool>* interrupted = nullptr;  // set by Ctrl-C; borrowed
    std::uint64_t timeout_ms = 60'000;               // of one request; uploads and streams: none
  };

  /// errors bad_argument: the address is no https:// one
  static proto::Result<std::unique_ptr<HttpClient>> make(Options options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Any status is an answer, not an error.
  proto::Result<HttpResponse> request(const HttpRequest& request);
  proto::Result<HttpResponse> upload(const HttpUpload& upload);
  /// out    when the server closed the stream, or a callback ended it: status and, when the status
  ///        is not 200, the body
  proto::Result<HttpResponse> stream(const HttpStream& stream);

  const std::string& base_url() const { return options_.base_url; }

 private:
  explicit HttpClient(Options options);
  struct Transfer;
  proto::Result<HttpResponse> run(Transfer& transfer, const std::function<bool()>& on_tick);
  void prepare(Transfer& transfer, const std::string& path);
  proto::Error error_of(int curl_code, const char* detail) const;

  struct Handles;
  Options options_;
  std::unique_ptr<Handles> handles_;
};

/// A value for a query or a path segment, percent-encoded.
std::string url_encode(std::string_view text);

/// "fleet.example.net" of "https://fleet.example.net:8443".
std::string host_of(std::string_view url);

}  // namespace fleetctl
