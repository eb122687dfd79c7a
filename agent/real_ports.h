// The ports that need the device's identity: the link and the fetch sessions of the real world.
#pragma once

#include <memory>
#include <string>

#include "agent/credentials.h"
#include "agent/ports.h"
#include "proto/tls.h"

namespace agent {

/// Connects to the controller with the newest certificate.
class RealLink final : public LinkPort {
 public:
  /// All of them outlive it.
  RealLink(proto::Clock& clock, const Identity& identity, const DiskCredentials& credentials)
      : clock_(clock), identity_(identity), credentials_(credentials) {}
  proto::awaitable<proto::Result<std::unique_ptr<proto::Channel>>> connect(
      proto::Deadline deadline) override;

 private:
  proto::Clock& clock_;
  const Identity& identity_;
  const DiskCredentials& credentials_;
  // Shared with the streams that were made of it; kept for its cache of sessions.
  std::shared_ptr<proto::TlsContext> context_;
  std::uint64_t context_version_ = 0;
};

/// fleet-fetch from the folder of this program.
class RealFetch final : public FetchPort {
 public:
  /// in     state_dir: where ca.pem and device.pem are; identity outlives it
  RealFetch(const Identity& identity, std::string state_dir)
      : identity_(identity), state_dir_(std::move(state_dir)) {}
  std::unique_ptr<ota::Fetch> open() override;

 private:
  const Identity& identity_;
  std::string state_dir_;
};

/// "HOST:PORT" or "[V6]:PORT" in two. errors bad_argument
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
proto::Result<HostPort> parse_host_port(std::string_view text);

}  // namespace agent
