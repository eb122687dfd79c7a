// What one update costs the controller in downloads: the requests that a device makes for a
// release, over one TLS connection. Bytes are counted and dropped; nothing is verified.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fleet/v1/link.pb.h"
#include "proto/async.h"
#include "proto/tls.h"

namespace fleet_sim {

/// Where the controller's device listener is.
struct Endpoint {
  std::string address;    // HOST:PORT
  std::string host_name;  // as its certificate says
};

struct Downloaded {
  std::uint64_t bytes = 0;  // of all bodies
  std::string image;        // its SHA-256
};

/// Metadata, manifest, image and files of the wanted release; the image as a delta if one is
/// offered, and not at all if the device holds it.
/// in     held: the SHA-256 of the image that it has; "": none
/// errors as proto::tls_connect | unavailable (another status than 200) | bad_metadata
proto::awaitable<proto::Result<Downloaded>> download(std::shared_ptr<proto::TlsContext> context,
                                                     Endpoint endpoint,
                                                     fleet::v1::DesiredApp wish, std::string held,
                                                     proto::Deadline deadline);

}  // namespace fleet_sim
