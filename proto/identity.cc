#include "proto/identity.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "proto/identity_internal.h"
#include "proto/tls_compat.h"

namespace proto {

using tls_compat::bytes;
using tls_compat::error_text;
using tls_compat::kernel_random;
using identity_detail::bad;

namespace {

bool is_strict_key(const mbedtls_pk_context& key) {
  const mbedtls_ecp_group_id group = tls_compat::group_of(key);
  return group == MBEDTLS_ECP_DP_SECP256R1 || group == MBEDTLS_ECP_DP_SECP384R1;
}

std::string public_key_digest(mbedtls_pk_context& key) {
  // A stranger may show any kind of key: one that is larger than this or of an unknown kind gets
  // no digest, and is refused for its kind elsewhere.
  std::array<unsigned char, 4096> der{};
  const int size = mbedtls_pk_write_pubkey_der(&key, der.data(), der.size());
  if (size <= 0) return "";
  const auto length = static_cast<std::size_t>(size);
  const auto* begin = reinterpret_cast<const char*>(der.data() + der.size() - length);
  return tls_compat::sha256_hex({begin, length});
}

std::int64_t to_ms(const mbedtls_x509_time& time) {
  std::tm utc{};
  utc.tm_year = time.year - 1900;
  utc.tm_mon = time.mon - 1;
  utc.tm_mday = time.day;
  utc.tm_hour = time.hour;
  utc.tm_min = time.min;
  utc.tm_sec = time.sec;
  return std::int64_t{timegm(&utc)} * 1000;
}

Status check_request(const mbedtls_x509_csr& csr) {
  if (!is_strict_key(csr.pk)) return bad("the request's key is not on P-256 or P-384");
  const mbedtls_md_type_t md = csr.MBEDTLS_PRIVATE(sig_md);
  const mbedtls_x509_buf& signature = csr.MBEDTLS_PRIVATE(sig);
  if ((MBEDTLS_X509_ID_FLAG(md) & tls_compat::strict_profile().allowed_mds) == 0) {
    return bad("the request is signed with a digest weaker than SHA-256");
  }
  const mbedtls_md_info_t* info = mbedtls_md_info_from_type(md);
  std::array<unsigned char, MBEDTLS_MD_MAX_SIZE> digest{};
  int result = mbedtls_md(info, csr.cri.p, csr.cri.len, digest.data());
  if (result == 0) {
    // mbedTLS reads the key through a non-const pointer and does not change it.
    auto* key = const_cast<mbedtls_pk_context*>(&csr.pk);
    result = mbedtls_pk_verify(key, md, digest.data(), mbedtls_md_get_size(info), signature.p,
                               signature.len);
  }
  if (result != 0) {
    return Error{Code::bad_signature, "the request is not signed by its own key", ""};
  }
  return Status();
}

}  // namespace

namespace identity_detail {

// Names go through mbedTLS's text parser: nothing may have a meaning there (CVE-2025-47917).
Status check_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '-';
  };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), is_plain)) {
    return bad("the name of a certificate is 1 to 64 of A-Z a-z 0-9 . and -");
  }
  return Status();
}

std::string common_name_of(const mbedtls_x509_name& name) {
  const std::string_view kOid(MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN));
  for (const mbedtls_x509_name* part = &name; part != nullptr; part = part->next) {
    if (tls_compat::view(part->oid) == kOid) return std::string(tls_compat::view(part->val));
  }
  return "";
}

Status parse_request(std::string_view text, mbedtls_x509_csr& csr) {
  constexpr std::size_t kMaxRequestBytes = 4096;
  if (text.empty() || text.size() > kMaxRequestBytes) {
    return bad("a certificate request is 1 to 4096 bytes of DER");
  }
  const int result = mbedtls_x509_csr_parse_der(&csr, bytes(text), text.size());
  if (result != 0) return bad("no certificate request: " + error_text(result));
  return check_request(csr);
}

}  // namespace identity_detail

using identity_detail::Certificate;
using identity_detail::kDnsName;
using identity_detail::Request;
using identity_detail::check_name;
using identity_detail::common_name_of;
using identity_detail::parse_request;

PrivateKey::PrivateKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate() {
  auto impl = std::make_unique<Impl>();
  int result = mbedtls_pk_setup(&impl->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
  if (result == 0) {
    result = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(impl->pk), kernel_random,
                                 nullptr);
  }
  if (result != 0) return Error{Code::internal, "making a key: " + error_text(result), ""};
  return PrivateKey(std::move(impl));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  auto impl = std::make_unique<Impl>();
  // Encrypted PEM is refused before mbedTLS sees it (CVE-2025-52497).
  if (pem.size() > 16 * 1024 || pem.find("ENCRYPTED") != std::string_view::npos) {
    return bad("a private key is an unencrypted PEM");
  }
  std::string text(pem);
  const int result = tls_compat::parse_key(impl->pk, text);
  mbedtls_platform_zeroize(text.data(), text.size());
  if (result != 0) return bad("no private key: " + error_text(result));
  if (!is_strict_key(impl->pk)) return bad("the private key is not on P-256 or P-384");
  return PrivateKey(std::move(impl));
}

std::string PrivateKey::to_pem() const {
  std::array<unsigned char, 2048> pem{};
  const int result = mbedtls_pk_write_key_pem(&impl_->pk, pem.data(), pem.size());
  FLEET_ASSERT(result == 0);
  std::string text(reinterpret_cast<const char*>(pem.data()));
  mbedtls_platform_zeroize(pem.data(), pem.size());
  return text;
}

std::string PrivateKey::public_key_sha256() const { return public_key_digest(impl_->pk); }

Result<std::string> make_csr(const PrivateKey& key, std::string_view common_name) {
  TRY_VOID(check_name(common_name));
  mbedtls_x509write_csr request;
  mbedtls_x509write_csr_init(&request);
  mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(&request, &key.impl().pk);
  const std::string subject = "CN=" + std::string(common_name);
  std::array<unsigned char, 4096> out{};
  int result = mbedtls_x509write_csr_set_subject_name(&request, subject.c_str());
  if (result == 0) {
    result = mbedtls_x509write_csr_der(&request, out.data(), out.size(), kernel_random, nullptr);
  }
  mbedtls_x509write_csr_free(&request);
  if (result <= 0) return Error{Code::internal, "writing a request: " + error_text(result), ""};
  const auto size = static_cast<std::size_t>(result);  // written at the end of the buffer
  return std::string(reinterpret_cast<const char*>(out.data() + out.size() - size), size);
}

Result<CsrFacts> check_csr(std::string_view text) {
  Request request;
  TRY_VOID(parse_request(text, request.csr));
  return CsrFacts{public_key_digest(request.csr.pk)};
}

namespace tls_compat {

CertificateFacts facts_of(const mbedtls_x509_crt& crt) {
  CertificateFacts facts;
  facts.common_name = common_name_of(crt.subject);
  facts.issuer_common_name = common_name_of(crt.issuer);
  for (const mbedtls_x509_sequence* san = &crt.subject_alt_names; san != nullptr; san = san->next) {
    if (san->buf.p == nullptr || (san->buf.tag & 0x1f) != (kDnsName & 0x1f)) continue;
    facts.dns_names.emplace_back(view(san->buf));
  }
  facts.not_before_ms = to_ms(crt.valid_from);
  facts.not_after_ms = to_ms(crt.valid_to);
  facts.sha256 = sha256_hex(view(crt.raw));
  auto* key = const_cast<mbedtls_pk_context*>(&crt.pk);  // only read
  facts.public_key_sha256 = public_key_digest(*key);
  facts.serial = hex(crt.serial.p, crt.serial.len);
  facts.is_ca = crt.MBEDTLS_PRIVATE(ca_istrue) != 0;
  return facts;
}

}  // namespace tls_compat

Result<CertificateFacts> read_certificate(std::string_view pem_or_der) {
  Certificate certificate;
  TRY_VOID(tls_compat::parse_certificates(pem_or_der, certificate.crt));
  if (!is_strict_key(certificate.crt.pk)) {
    return bad("the certificate's key is not on P-256 or P-384");
  }
  return tls_compat::facts_of(certificate.crt);
}

Status check_issued_by(std::string_view certificate_pem, std::string_view ca_pem) {
  Certificate certificate;
  Certificate ca;
  TRY_VOID(tls_compat::parse_certificates(certificate_pem, certificate.crt));
  TRY_VOID(tls_compat::parse_certificates(ca_pem, ca.crt));
  std::uint32_t flags = 0;
  mbedtls_x509_crt_verify_with_profile(&certificate.crt, &ca.crt, nullptr,
                                       &tls_compat::strict_profile(), nullptr, &flags, nullptr,
                                       nullptr);
  flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (flags == 0) return Status();
  return Error{Code::unauthenticated,
               "certificate of another CA: issued by " +
                   common_name_of(certificate.crt.issuer) + ", expected " +
                   common_name_of(ca.crt.subject),
               ""};
}

}  // namespace proto
