// Enrolment: a one-time token and a certificate request become a device with a certificate.
// A use of a token is bound to the request's public key, so that a lost answer can be asked for
// again. Nothing of the request but its key gets into the certificate.
#pragma once

#include <string>
#include <string_view>

#include "controller/data_dir.h"
#include "controller/fleet.h"
#include "controller/store.h"

namespace controller {

/// What bootstrap files say about us.
struct Endpoint {
  std::string address;    // HOST:PORT that devices connect to
  std::string host_name;  // that they verify
};

class Enrolment {
 public:
  Enrolment(Store& store, Fleet& fleet, const DataDir& data, Endpoint endpoint,
            proto::Clock& clock);

  /// The token is in the answer and nowhere else.
  /// errors bad_argument (group, label, uses, ttl) | unavailable (no TUF root yet)
  Result<v1::EnrollToken> make_token(const v1::EnrollTokenRequest& request, const std::string& by);

  /// in     from: the address that asks, for the audit log
  /// errors unauthenticated (unknown token) | token_used (used up, too old) | already_exists (name)
  ///        | bad_argument | bad_signature (the request is not signed by its own key)
  Result<v1::EnrollReply> enroll(const v1::EnrollRequest& request, const std::string& from = "");

  /// A new certificate for a known device. errors as enroll
  Result<std::string> renew(const std::string& device_id, std::string_view csr_der);

 private:
  Result<std::string> issue(std::string_view csr_der, const std::string& device_id);
  Result<std::string> add(const EnrollTokenRow& token, const v1::EnrollRequest& request,
                          const std::string& public_key, const std::string& from);
  Result<std::string> choose_name(const std::string& wished, const std::string& id);
  Result<v1::EnrollReply> reply(const std::string& device_id, std::string_view csr_der);

  Store& store_;
  Fleet& fleet_;
  const DataDir& data_;
  Endpoint endpoint_;
  proto::Clock& clock_;
};

/// [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most kMaxNameLength.
bool is_name(std::string_view text);
/// Labels have names like "site" or "device.rack" and values of at most 63 printable characters.
Status check_label(std::string_view name, std::string_view value);

}  // namespace controller
