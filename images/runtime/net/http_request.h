// The head of an HTTP request (RFC 9112 section 2), as far as a server of read-only pages needs it.
// Also compiled for the host to be tested and fuzzed.
#pragma once

#include <cstddef>
#include <string_view>

namespace images::runtime::net {

inline constexpr std::size_t kMaxRequestBytes = 2048;

struct HttpRequest {
  int status = 0;          // 0: more bytes must come; 200: asks for path; else refuse with it
  std::string_view path;   // of the bytes; without a query
  bool head_only = false;  // HEAD: the answer has no body
};

/// Read what has come so far, from its beginning.
/// status  400 no HTTP/1 request | 405 another method than GET and HEAD | 431 longer than
///         kMaxRequestBytes
HttpRequest read_http_request(std::string_view bytes);

}  // namespace images::runtime::net
