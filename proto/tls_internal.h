// What is inside a TlsContext; shared by tls.cc and tls_stream.cc only.
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "proto/tls.h"

namespace proto {

/// A ticket key and the name by which a ticket finds it.
struct TicketKey {
  std::array<unsigned char, 32> key{};
  std::array<unsigned char, 4> name{};
};

struct TlsContext::Impl {
  Impl();
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  struct Session;  // a saved client session

  /// Puts the saved session of the host into a fresh connection, if there is one.
  void offer_session(mbedtls_ssl_context& ssl, const std::string& host_name);
  /// Saves the session for the next connection to the host.
  void keep_session(const mbedtls_ssl_context& ssl, const std::string& host_name);

  bool is_server = false;
  bool ignore_dates = false;
  bool accept_expired_clients = false;
  mbedtls_ssl_config config;
  mbedtls_x509_crt own;
  mbedtls_x509_crt authority;
  mbedtls_pk_context key;
  std::vector<TicketKey> tickets;
  std::uint32_t ticket_lifetime_seconds = 0;
  // Set by callbacks inside one call of mbedtls_ssl_handshake, read and reset around it.
  bool ticket_taken = false;   // server: a ClientHello with a good ticket
  bool chain_checked = false;  // a certificate of the other side was verified
  CertificateFacts leaf;       // that certificate, also when it was refused
  std::map<std::string, std::unique_ptr<Session>> sessions;
  std::uint64_t full = 0;
  std::uint64_t resumed = 0;
};

namespace tls_compat {

/// In identity.cc.
CertificateFacts facts_of(const mbedtls_x509_crt& certificate);
/// "certificate of another CA: ..." for the flags of mbedTLS's chain check.
std::string verify_text(std::uint32_t flags, const CertificateFacts& facts,
                        const std::string& host_name);
/// In tls_ticket.cc: the callbacks for mbedtls_ssl_conf_session_tickets_cb; context is an Impl.
int write_ticket(void* context, const mbedtls_ssl_session* session, unsigned char* start,
                 const unsigned char* end, std::size_t* length, std::uint32_t* lifetime_seconds);
int read_ticket(void* context, mbedtls_ssl_session* session, unsigned char* ticket,
                std::size_t length);
/// errors bad_argument (not 32 bytes)
Result<TicketKey> make_ticket_key(const std::string& bytes);

}  // namespace tls_compat
}  // namespace proto
