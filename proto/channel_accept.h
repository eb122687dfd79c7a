// The controller's side of a link: an HTTP upgrade request that was read becomes a Channel.
// Heavy (Beast): include only in controller/http.cc and tests.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>

#include "proto/channel.h"
#include "proto/tls_stream.h"

namespace proto {

/// Answers the upgrade and takes the stream over. The caller has checked path and certificate.
/// in     request: as read by Beast, nothing of the next message read beyond it; clock outlives
/// errors bad_argument (no WebSocket upgrade; an HTTP 400 was sent) | timeout | closed
awaitable<Result<std::unique_ptr<Channel>>> accept_channel(
    Clock& clock, TlsStream stream,
    boost::beast::http::request<boost::beast::http::string_body> request, ChannelOptions options,
    Deadline deadline);

}  // namespace proto
