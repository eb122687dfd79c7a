// Enrolment: a bootstrap file becomes an identity on this device (DESIGN 4).
// The key is made here and never leaves; nothing but that key stays behind when it fails.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "fleet/v1/device.pb.h"
#include "ota/disk.h"
#include "proto/async.h"
#include "proto/result.h"

namespace agent {

struct EnrollOptions {
  std::string name;                  // wished; "" = the controller chooses
  fleet::v1::Inventory inventory;
};

/// What to tell the person.
struct Enrolled {
  std::string name;
  std::string host_name;
  std::int64_t until_ms = 0;         // Unix ms, of the certificate
  std::int64_t root_version = 0;
  std::int64_t root_threshold = 0;
  std::size_t root_keys = 0;
  std::vector<std::string> groups;
  std::vector<std::string> wanted;   // "dns 4"
};

/// Reads a bootstrap file's text. errors bad_argument (what is missing, and from where to get it)
proto::Result<fleet::v1::Bootstrap> read_bootstrap(std::string_view text);

/// Asks the controller for an identity and stores it. Repeating it after a lost answer uses the
/// same key, so that the token still counts.
/// errors already_exists (enrolled already) | token_used | unauthenticated (token, or CA and name
/// of the controller) | unreachable | timeout | bad_metadata, bad_signature (the TUF root) |
/// as the controller says | no_space | io
proto::awaitable<proto::Result<Enrolled>> enroll(proto::Clock& clock, ota::Disk& disk,
                                                 fleet::v1::Bootstrap bootstrap,
                                                 EnrollOptions options);

/// The lines of UX.md, "A new Raspberry Pi".
std::string describe(const Enrolled& enrolled);

}  // namespace agent
