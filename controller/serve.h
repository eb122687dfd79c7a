// The running controller: wires every part and runs them on one thread until a signal.
#pragma once

#include <string>

#include "proto/async.h"
#include "proto/result.h"

namespace controller {

class Fleet;
class Metadata;
class Metrics;

struct ServeOptions {
  std::string data_dir;
  std::string operator_listen = "127.0.0.1:8443";
  std::string device_listen = "0.0.0.0:8444";
  std::string device_address;  // what bootstrap files say; "" = from device_listen and the name
};

/// Returns after SIGINT or SIGTERM. An inherited socket (LISTEN_FDS) is the operators' listener.
/// errors as open_data_dir, Store::open, HttpServer::listen
proto::Status serve(const ServeOptions& options);

/// What a controller does by itself, for as long as it runs: deadlines every second, and metadata
/// renewed in time. For serve() and whoever runs the parts without listeners.
proto::awaitable<void> tick_loop(Fleet& fleet, proto::Clock& clock);
proto::awaitable<void> renew_loop(Metadata& metadata, Metrics& metrics, proto::Clock& clock);

}  // namespace controller
