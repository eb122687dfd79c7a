// The device's identity on its disk: who it is, whom it talks to, key and certificate in one file,
// so that the two never part. The key never leaves the device.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/ports.h"
#include "ota/disk.h"
#include "proto/identity.h"
#include "proto/result.h"

namespace agent {

// Files below the state directory.
inline constexpr const char* kIdentityFile = "identity.json";
inline constexpr const char* kDeviceFile = "device.pem";     // key, then certificate; mode 600
inline constexpr const char* kCaFile = "ca.pem";
inline constexpr const char* kEnrollKeyFile = "enroll.key";  // until an enrolment succeeded

/// What an enrolment stored.
struct Identity {
  std::string device_id;
  std::string name;
  std::string address;    // of the controller's device listener, HOST:PORT
  std::string host_name;  // to verify there
  std::string ca_pem;
  std::string device_pem;
};

/// errors not_found (not enrolled: says what to do) | bad_argument (damaged file) | io
proto::Result<Identity> load_identity(ota::Disk& disk);
/// identity.json last: with it the device is enrolled. errors no_space | io
proto::Status store_identity(ota::Disk& disk, const Identity& identity);

/// Key and certificate on the disk; renewals replace both at once.
class DiskCredentials final : public Credentials {
 public:
  /// errors bad_argument (device.pem). `disk` outlives it.
  static proto::Result<std::unique_ptr<DiskCredentials>> load(ota::Disk& disk,
                                                              const Identity& identity);
  const std::string& device_id() const override { return identity_.device_id; }
  std::int64_t valid_from_ms() const override { return facts_.not_before_ms; }
  std::int64_t valid_until_ms() const override { return facts_.not_after_ms; }
  proto::Result<std::string> make_request() override;
  proto::Status install(const std::string& certificate_pem) override;

  /// Key and certificate, each as PEM, for TLS.
  std::string key_pem() const { return device_pem_; }
  std::string certificate_pem() const { return certificate_pem_; }
  /// Rises with each install(): who caches a TLS context makes a new one.
  std::uint64_t version() const { return version_; }

 private:
  DiskCredentials(ota::Disk& disk, Identity identity)
      : disk_(disk), identity_(std::move(identity)) {}
  proto::Status read(const std::string& device_pem);

  ota::Disk& disk_;
  Identity identity_;
  std::string device_pem_;
  std::string certificate_pem_;
  proto::CertificateFacts facts_;
  std::optional<proto::PrivateKey> pending_;
  std::uint64_t version_ = 1;
};

/// The certificate must be of this CA, this device and this key. errors unauthenticated
proto::Status check_certificate(const std::string& certificate_pem, const std::string& ca_pem,
                                const std::string& device_id, const proto::PrivateKey& key);

}  // namespace agent
