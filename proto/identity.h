// Keys, certificate requests and certificates (P-256, mbedTLS X.509).
// It never puts text of others into a certificate: names are checked, the rest is a template.
// A private key leaves only as PEM for a file of mode 600 that the caller writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace proto {

/// A P-256 private key. Wiped when it goes. Movable, never copied.
class PrivateKey {
 public:
  /// errors internal (no random numbers)
  static Result<PrivateKey> generate();
  /// Reads an unencrypted PEM. errors bad_argument (no such PEM, or not P-256 or P-384)
  static Result<PrivateKey> from_pem(std::string_view pem);

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  /// Holds the secret: for a file of mode 600 only.
  std::string to_pem() const;
  /// SHA-256 of the DER SubjectPublicKeyInfo, hex: the same as in CsrFacts and CertificateFacts.
  std::string public_key_sha256() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit PrivateKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// When a certificate is good. Backdated one hour by the issuer for clocks that lag.
struct Validity {
  std::int64_t from_wall_ms = 0;
  int days = 0;  // 1..7300
};

/// A CA's certificate (PEM) and its key.
struct Issuer {
  const std::string& certificate_pem;
  const PrivateKey& key;
};

struct CsrFacts {
  std::string public_key_sha256;  // hex
};

struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> dns_names;
  std::string issuer_common_name;
  std::int64_t not_before_ms = 0;  // Unix ms
  std::int64_t not_after_ms = 0;
  std::string sha256;              // fingerprint of the DER, hex
  std::string public_key_sha256;   // hex
  std::string serial;              // hex
  bool is_ca = false;

  bool operator==(const CertificateFacts&) const = default;
};

/// Makes a PKCS#10 request in DER. The issuer ignores its subject.
/// errors bad_argument (name not of [A-Za-z0-9.-]{1,64})
Result<std::string> make_csr(const PrivateKey& key, std::string_view common_name);

/// Reads a request of others: at most 4 KiB of DER, key on P-256 or P-384, SHA-256 or better, and
/// signed by its own key (mbedTLS does not check that by itself).
/// errors bad_argument | bad_signature
Result<CsrFacts> check_csr(std::string_view der);

/// A self-signed CA. out PEM. errors bad_argument (name, days)
Result<std::string> make_ca(const PrivateKey& key, std::string_view common_name,
                            const Validity& validity);

/// A server's certificate: dNSName for each name, serverAuth. mbedTLS knows no IP addresses: names
/// only. out PEM of the one certificate. errors bad_argument (no name, a bad name, days)
Result<std::string> issue_server_certificate(const Issuer& issuer, const PrivateKey& server_key,
                                             const std::vector<std::string>& names,
                                             const Validity& validity);

/// A device's certificate: CN = device id, clientAuth, nothing from the request but its key.
/// errors bad_argument | bad_signature (as check_csr)
Result<std::string> issue_device_certificate(const Issuer& issuer, std::string_view csr_der,
                                             std::string_view device_id,
                                             const Validity& validity);

/// The first certificate of a PEM, or a DER. errors bad_argument
Result<CertificateFacts> read_certificate(std::string_view pem_or_der);

/// Whether the CA issued the certificate; dates are not looked at.
/// errors unauthenticated ("certificate of another CA: ...") | bad_argument
Status check_issued_by(std::string_view certificate_pem, std::string_view ca_pem);

}  // namespace proto
