// Enrolment: a device's first certificate against a one-time token, and its later ones (DESIGN 4).
// The device's key never comes here; a token's use is bound to the key of the request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/fleet.h"
#include "fleet/v1/api.pb.h"
#include "proto/identity.h"

namespace controller {

inline constexpr int kDeviceCertificateDays = 90;
inline constexpr std::uint32_t kMaxTokenUses = 10000;
inline constexpr std::int64_t kMaxTokenTtl_ms = 90ll * 24 * 3600 * 1000;

/// The certificate authority of this fleet.
struct Authority {
  std::string certificate_pem;
  proto::PrivateKey key;
};

/// What bootstrap files say about where the controller is.
struct Whereabouts {
  std::string address;    // HOST:PORT
  std::string host_name;  // in the server's certificate
};

class Enrolment {
 public:
  /// All outlive it.
  Enrolment(Fleet& fleet, Store& store, const Authority& authority, Whereabouts where)
      : fleet_(fleet), store_(store), authority_(authority), where_(std::move(where)) {}

  /// A token, with the bootstrap file that carries it. Only its hash is kept.
  /// errors bad_argument (group, labels, uses, ttl) | not_found (no TUF root yet)
  Result<v1::EnrollToken> make_token(const v1::EnrollTokenRequest& request, const std::string& by,
                                     std::int64_t now_ms);

  /// Enrols a device; the same token and key give the same device again.
  /// errors unauthenticated (no such token) | token_used (used up, or too old) | bad_argument
  ///        (CSR, name, labels) | already_exists (the name) | as Store
  /// after  survives power loss
  Result<v1::EnrollReply> enroll(const v1::EnrollRequest& request);

  /// A new certificate for a device that is known. errors as check_csr, Store
  Result<std::string> renew(const std::string& device_id, std::string_view csr_der,
                            std::int64_t now_ms);

 private:
  struct Issued {
    std::string pem;
    std::int64_t until_ms = 0;
  };
  Result<Issued> issue(std::string_view csr_der, const std::string& device_id,
                       std::int64_t now_ms);
  Result<std::string> add_device(Work& work, const EnrollTokenRow& token,
                                 const v1::EnrollRequest& request, const std::string& public_key);
  Result<std::string> free_name(const v1::EnrollRequest& request, const std::string& id);
  Result<v1::EnrollReply> reply(const std::string& device_id, const Issued& issued);

  Fleet& fleet_;
  Store& store_;
  const Authority& authority_;
  Whereabouts where_;
};

/// A label's name: letters, digits, '-', '_', '.', '/'; at most 63. A value likewise, or empty.
/// errors bad_argument
Status check_label(std::string_view name, std::string_view value);
/// A DNS label of at most kMaxNameLength characters: [a-z0-9-]. errors bad_argument
Status check_name(std::string_view what, std::string_view name);

}  // namespace controller
