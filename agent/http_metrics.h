// GET /metrics of the agent: plain HTTP on a loopback address that the device's owner chose, off
// unless asked for. It tells what `fleet-agent status` tells, changes nothing, and answers one
// client at a time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include "proto/async.h"
#include "proto/result.h"

namespace agent {

/// Answers until it is cancelled.
/// in     address: "127.0.0.1:9105" | "[::1]:9105". `text` outlives it
/// errors bad_argument (no loopback address) | io (cannot listen)
proto::awaitable<proto::Status> serve_metrics(boost::asio::io_context& loop, proto::Clock& clock,
                                              std::string address,
                                              std::function<std::string()> text);

}  // namespace agent
