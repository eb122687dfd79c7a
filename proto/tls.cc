#include "proto/tls.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>

#include "proto/tls_compat.h"
#include "proto/tls_internal.h"

namespace proto {

using tls_compat::error_text;

namespace {

constexpr int kCipherSuites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, 0};
// X25519 only for the key exchange; certificates on it do not exist (strict_profile).
constexpr mbedtls_ecp_group_id kGroups[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519,
                                            MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
constexpr int kDigests[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                            MBEDTLS_MD_NONE};

Error bad(const std::string& what) { return Error{Code::bad_argument, what, ""}; }

// Takes away the flags of dates that the options allow; everything else stays a failure.
int on_verify(void* context, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
  auto& impl = *static_cast<TlsContext::Impl*>(context);
  impl.chain_checked = true;
  if (depth == 0) impl.leaf = tls_compat::facts_of(*certificate);
  if (impl.ignore_dates) {
    *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED |
                                          MBEDTLS_X509_BADCERT_FUTURE);
  }
  if (impl.accept_expired_clients && depth == 0) {
    *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED);
  }
  return 0;
}

Status load_own(TlsContext::Impl& impl, const std::string& certificate_pem,
                const std::string& key_pem) {
  auto chain = tls_compat::parse_certificates(certificate_pem, impl.own);
  if (!chain) return chain.error().with("own certificate");
  TRY(const PrivateKey checked, PrivateKey::from_pem(key_pem));
  const int parsed = tls_compat::parse_key(impl.key, key_pem);
  if (parsed != 0) return bad("own key: " + error_text(parsed));
  if (tls_compat::check_pair(impl.own.pk, impl.key) != 0) {
    return bad("own key and own certificate do not belong together");
  }
  const int result = mbedtls_ssl_conf_own_cert(&impl.config, &impl.own, &impl.key);
  if (result != 0) return Error{Code::internal, "own certificate: " + error_text(result), ""};
  return Status();
}

Status load_authority(TlsContext::Impl& impl, const std::string& pem) {
  auto chain = tls_compat::parse_certificates(pem, impl.authority);
  if (!chain) return chain.error().with("CA certificate");
  mbedtls_ssl_conf_ca_chain(&impl.config, &impl.authority, nullptr);
  return Status();
}

// mbedTLS compiles in much that nobody should speak; all of it is turned off here by name.
Status harden(TlsContext::Impl& impl) {
  const int endpoint = impl.is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
  const int result = mbedtls_ssl_config_defaults(
      &impl.config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (result != 0) return Error{Code::internal, "TLS settings: " + error_text(result), ""};
  mbedtls_ssl_conf_rng(&impl.config, tls_compat::kernel_random, nullptr);
  mbedtls_ssl_conf_min_version(&impl.config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&impl.config, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_ciphersuites(&impl.config, kCipherSuites);
  mbedtls_ssl_conf_curves(&impl.config, kGroups);
  mbedtls_ssl_conf_sig_hashes(&impl.config, kDigests);
  mbedtls_ssl_conf_cert_profile(&impl.config, &tls_compat::strict_profile());
  mbedtls_ssl_conf_renegotiation(&impl.config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_legacy_renegotiation(&impl.config, MBEDTLS_SSL_LEGACY_NO_RENEGOTIATION);
  mbedtls_ssl_conf_verify(&impl.config, on_verify, &impl);
  return Status();
}

Status load_tickets(TlsContext::Impl& impl, const TlsServerOptions& options) {
  for (const std::string& bytes : options.ticket_keys) {
    TRY(const TicketKey key, tls_compat::make_ticket_key(bytes));
    impl.tickets.push_back(key);
  }
  impl.ticket_lifetime_seconds = options.ticket_lifetime_seconds;
  if (!impl.tickets.empty()) {
    mbedtls_ssl_conf_session_tickets_cb(&impl.config, tls_compat::write_ticket,
                                        tls_compat::read_ticket, &impl);
  }
  return Status();
}

int auth_mode(ClientCertificate wanted) {
  switch (wanted) {
    case ClientCertificate::none: return MBEDTLS_SSL_VERIFY_NONE;
    case ClientCertificate::optional: return MBEDTLS_SSL_VERIFY_OPTIONAL;
    case ClientCertificate::required: return MBEDTLS_SSL_VERIFY_REQUIRED;
  }
  return MBEDTLS_SSL_VERIFY_REQUIRED;
}

}  // namespace

struct TlsContext::Impl::Session {
  Session() { mbedtls_ssl_session_init(&session); }
  ~Session() { mbedtls_ssl_session_free(&session); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  mbedtls_ssl_session session;
};

TlsContext::Impl::Impl() {
  mbedtls_ssl_config_init(&config);
  mbedtls_x509_crt_init(&own);
  mbedtls_x509_crt_init(&authority);
  mbedtls_pk_init(&key);
}

TlsContext::Impl::~Impl() {
  mbedtls_ssl_config_free(&config);
  mbedtls_x509_crt_free(&own);
  mbedtls_x509_crt_free(&authority);
  mbedtls_pk_free(&key);
  for (TicketKey& ticket : tickets) mbedtls_platform_zeroize(ticket.key.data(), ticket.key.size());
}

void TlsContext::Impl::offer_session(mbedtls_ssl_context& ssl, const std::string& host_name) {
  const auto found = sessions.find(host_name);
  if (found == sessions.end()) return;
  // A session that mbedTLS does not take is only a full handshake more.
  if (mbedtls_ssl_set_session(&ssl, &found->second->session) != 0) sessions.erase(found);
}

void TlsContext::Impl::keep_session(const mbedtls_ssl_context& ssl, const std::string& host_name) {
  constexpr std::size_t kMaxSessions = 16;
  auto session = std::make_unique<Session>();
  if (mbedtls_ssl_get_session(&ssl, &session->session) != 0) return;
  if (sessions.size() >= kMaxSessions) sessions.clear();
  sessions[host_name] = std::move(session);
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;
std::uint64_t TlsContext::handshakes_full() const { return impl_->full; }
std::uint64_t TlsContext::handshakes_resumed() const { return impl_->resumed; }

Result<std::shared_ptr<TlsContext>> TlsContext::make_server(const TlsServerOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->is_server = true;
  impl->accept_expired_clients = options.accept_expired_clients;
  TRY_VOID(harden(*impl));
  TRY_VOID(load_own(*impl, options.certificate_pem, options.key_pem));
  mbedtls_ssl_conf_authmode(&impl->config, auth_mode(options.client_certificate));
  if (options.client_certificate != ClientCertificate::none) {
    TRY_VOID(load_authority(*impl, options.client_ca_pem));
  }
  TRY_VOID(load_tickets(*impl, options));
  // The other owners are the streams made from it.
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::shared_ptr<TlsContext>> TlsContext::make_client(const TlsClientOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->ignore_dates = options.ignore_dates;
  TRY_VOID(harden(*impl));
  mbedtls_ssl_conf_authmode(&impl->config, MBEDTLS_SSL_VERIFY_REQUIRED);
  TRY_VOID(load_authority(*impl, options.ca_pem));
  if (!options.certificate_pem.empty()) {
    TRY_VOID(load_own(*impl, options.certificate_pem, options.key_pem));
  }
  mbedtls_ssl_conf_session_tickets(&impl->config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

namespace tls_compat {

std::string verify_text(std::uint32_t flags, const CertificateFacts& facts,
                        const std::string& host_name) {
  const std::string whose = facts.common_name + ", issued by " + facts.issuer_common_name;
  if ((flags & MBEDTLS_X509_BADCERT_MISSING) != 0) return "no client certificate was shown";
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
    return "certificate of another CA: " + whose;
  }
  if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
    std::string names;
    for (const std::string& name : facts.dns_names) names += (names.empty() ? "" : ", ") + name;
    return "certificate is not for the host name " + host_name + "; it is for " +
           (names.empty() ? facts.common_name : names);
  }
  if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) return "certificate has expired: " + whose;
  if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) {
    return "certificate is not good yet (is the clock right?): " + whose;
  }
  if ((flags & (MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_KEY_USAGE)) != 0) {
    return "certificate is not made for this use: " + whose;
  }
  return "certificate is refused (flags " + std::to_string(flags) + "): " + whose;
}

}  // namespace tls_compat
}  // namespace proto
