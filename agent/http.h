// HTTP as far as a device speaks it: the status of a health probe's answer, and the one POST of an
// enrolment. Bulk bytes are fleet-fetch's; the link is proto/channel's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "proto/async.h"
#include "proto/limits.h"
#include "proto/result.h"
#include "proto/tls.h"

namespace agent {

inline constexpr std::size_t kMaxProbeAnswerBytes = proto::kMaxHttpHeaderBytes;

/// The status of an HTTP answer that may not be whole yet: 0 means read on. errors bad_argument
proto::Result<unsigned> parse_http_status(std::string_view so_far);

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

/// What to ask of the controller's device listener.
struct PostRequest {
  std::string address;    // HOST:PORT to connect to
  std::string host_name;  // to verify, and the Host header
  std::string path;
  std::string json;
};

/// One POST over TLS. errors as proto::tls_connect | closed | too_large | bad_argument (no HTTP)
proto::awaitable<proto::Result<HttpAnswer>> post_json(std::shared_ptr<proto::TlsContext> context,
                                                      PostRequest request,
                                                      proto::Deadline deadline);

}  // namespace agent
