// Pages of an appliance for machines to read: /metrics, /healthz. GET and HEAD, one request on a
// connection, a few connections at once, no state; whoever reaches the port may read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/runtime/arena.h"

namespace images::runtime::net {

inline constexpr std::size_t kMaxPageBytes = 8 * 1024;

/// What `write` made.
struct HttpBody {
  std::size_t size = 0;  // bytes, at most out.size()
  int status = 200;      // 200 or 503
};

struct HttpPage {
  std::string_view path;          // "/metrics"
  std::string_view content_type;
  HttpBody (*write)(std::span<char> out);  // called for each request; out: kMaxPageBytes
};

/// Prometheus' text format.
inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// Whoever gets it talks to a guest that serves: there is no half of it.
HttpBody write_ok(std::span<char> out);
inline constexpr HttpPage kHealthPage{"/healthz", "text/plain; charset=utf-8", write_ok};

/// Listen; once. `pages` outlives everything; 42 KiB of memory are taken. False: there is none, or
/// the port could not be opened.
bool serve_pages(std::uint16_t port, std::span<const HttpPage> pages, Arena& memory);

}  // namespace images::runtime::net
