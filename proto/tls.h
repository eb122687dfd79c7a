// What a TLS endpoint is made of: TLS 1.2, ECDHE-ECDSA with AEAD, P-256 or P-384, SHA-256 or
// better. Contexts are made once and shared by many streams (proto/tls_stream.h), on one thread. It
// never speaks an older version, never renegotiates and never skips the check of a chain.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/identity.h"
#include "proto/result.h"

namespace proto {

/// What a server asks of its clients. A certificate that is shown is always verified.
enum class ClientCertificate { none, optional, required };

struct TlsServerOptions {
  std::string certificate_pem;  // the server's own first, then intermediates
  std::string key_pem;
  std::string client_ca_pem;    // not with none
  ClientCertificate client_certificate = ClientCertificate::none;
  /// Let a client in whose certificate is good but for its date; PeerFacts.expired tells.
  /// The caller then allows nothing but a renewal (DESIGN 4).
  bool accept_expired_clients = false;
  /// 32 bytes each, newest first: tickets are made with the first and read with all, so that they
  /// survive a restart when the caller keeps the bytes. Empty: no tickets.
  std::vector<std::string> ticket_keys;
  std::uint32_t ticket_lifetime_seconds = 24 * 3600;
};

struct TlsClientOptions {
  std::string ca_pem;           // who may have signed the server
  std::string certificate_pem;  // "" = none of our own
  std::string key_pem;
  /// Devices without a clock: check chain and name, not dates (DESIGN 4).
  bool ignore_dates = false;
};

/// The other side, also on a resumed connection. Revocation is the caller's check, per request.
struct PeerFacts {
  bool has_certificate = false;
  CertificateFacts certificate;
  bool expired = false;  // at the handshake; only with accept_expired_clients or ignore_dates
  bool resumed = false;  // by a ticket: no chain was sent
};

/// One side's settings and, for a client, its cache of sessions by host name.
/// Streams share it: it lives as long as the last of them (they hold it by shared_ptr).
class TlsContext {
 public:
  /// errors bad_argument (which PEM, and why; key and certificate that do not belong together)
  static Result<std::shared_ptr<TlsContext>> make_server(const TlsServerOptions& options);
  static Result<std::shared_ptr<TlsContext>> make_client(const TlsClientOptions& options);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Full handshakes and resumed ones since the start, for metrics.
  std::uint64_t handshakes_full() const;
  std::uint64_t handshakes_resumed() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace proto
