#include "proto/identity.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "proto/tls_compat.h"

namespace proto {

using tls_compat::bytes;
using tls_compat::error_text;
using tls_compat::kernel_random;

struct PrivateKey::Impl {
  Impl() { mbedtls_pk_init(&pk); }
  ~Impl() { mbedtls_pk_free(&pk); }  // wipes
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  mutable mbedtls_pk_context pk;  // mbedTLS signs through a non-const pointer
};

namespace {

struct Certificate {
  Certificate() { mbedtls_x509_crt_init(&crt); }
  ~Certificate() { mbedtls_x509_crt_free(&crt); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  mbedtls_x509_crt crt;
};

struct Request {
  Request() { mbedtls_x509_csr_init(&csr); }
  ~Request() { mbedtls_x509_csr_free(&csr); }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  mbedtls_x509_csr csr;
};

Error bad(std::string what) { return Error{Code::bad_argument, std::move(what), ""}; }

bool is_strict_key(const mbedtls_pk_context& key) {
  const mbedtls_ecp_group_id group = tls_compat::group_of(key);
  return group == MBEDTLS_ECP_DP_SECP256R1 || group == MBEDTLS_ECP_DP_SECP384R1;
}

std::string public_key_digest(mbedtls_pk_context& key) {
  std::array<unsigned char, 512> der{};
  const int size = mbedtls_pk_write_pubkey_der(&key, der.data(), der.size());
  FLEET_ASSERT(size > 0);  // the key is one of ours or was parsed, and 512 bytes hold P-384
  const auto length = static_cast<std::size_t>(size);
  const auto* begin = reinterpret_cast<const char*>(der.data() + der.size() - length);
  return tls_compat::sha256_hex({begin, length});
}

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

std::string x509_time(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 20> text{};
  std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &utc);
  return text.data();
}

std::string common_name_of(const mbedtls_x509_name& name) {
  const std::string_view kOid(MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN));
  for (const mbedtls_x509_name* part = &name; part != nullptr; part = part->next) {
    if (tls_compat::view(part->oid) == kOid) return std::string(tls_compat::view(part->val));
  }
  return "";
}

// DER by hand: 2.28 has no setters for these extensions.
std::string der(unsigned char tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  if (content.size() >= 256) {
    out += static_cast<char>(0x82);
    out += static_cast<char>(content.size() >> 8);
  } else if (content.size() >= 128) {
    out += static_cast<char>(0x81);
  }
  out += static_cast<char>(content.size() & 0xff);
  out += content;
  return out;
}

constexpr unsigned char kSequence = 0x30;
constexpr unsigned char kObjectId = 0x06;
constexpr unsigned char kDnsName = 0x82;  // [2] IMPLICIT IA5String of GeneralName, RFC 5280 4.2.1.6

enum class Purpose { authority, server, device };

struct CertificateRequest {
  Purpose purpose = Purpose::device;
  std::string subject;              // checked
  std::string issuer;               // checked
  std::vector<std::string> names;   // checked
  Validity validity;
  mbedtls_pk_context* subject_key = nullptr;
  mbedtls_pk_context* issuer_key = nullptr;
};

struct Writer {
  Writer() { mbedtls_x509write_crt_init(&crt); }
  ~Writer() { mbedtls_x509write_crt_free(&crt); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  mbedtls_x509write_cert crt;
};

int set_extension(mbedtls_x509write_cert& crt, const std::string& oid, const std::string& value) {
  return mbedtls_x509write_crt_set_extension(&crt, oid.data(), oid.size(), 0, bytes(value),
                                             value.size());
}

int set_serial(mbedtls_x509write_cert& crt) {
  std::array<unsigned char, 16> serial{};
  kernel_random(nullptr, serial.data(), serial.size());
  serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);  // positive, never short
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_x509write_crt_set_serial_raw(&crt, serial.data(), serial.size());
#else
  mbedtls_mpi number;
  mbedtls_mpi_init(&number);
  int result = mbedtls_mpi_read_binary(&number, serial.data(), serial.size());
  if (result == 0) result = mbedtls_x509write_crt_set_serial(&crt, &number);
  mbedtls_mpi_free(&number);
  return result;
#endif
}

int set_usage(mbedtls_x509write_cert& crt, const CertificateRequest& request) {
  const bool is_ca = request.purpose == Purpose::authority;
  int result = mbedtls_x509write_crt_set_basic_constraints(&crt, is_ca ? 1 : 0, is_ca ? 0 : -1);
  if (result != 0) return result;
  result = mbedtls_x509write_crt_set_key_usage(
      &crt, is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                  : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
  if (result != 0 || is_ca) return result;
  const std::string oid(MBEDTLS_OID_EXTENDED_KEY_USAGE,
                        MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE));
  const std::string_view usage =
      request.purpose == Purpose::server
          ? std::string_view(MBEDTLS_OID_SERVER_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH))
          : std::string_view(MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH));
  return set_extension(crt, oid, der(kSequence, der(kObjectId, usage)));
}

int set_names(mbedtls_x509write_cert& crt, const std::vector<std::string>& names) {
  if (names.empty()) return 0;
  std::string list;
  for (const std::string& name : names) list += der(kDnsName, name);
  const std::string oid(MBEDTLS_OID_SUBJECT_ALT_NAME,
                        MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME));
  return set_extension(crt, oid, der(kSequence, list));
}

// Runs the steps of mbedTLS in order and stops at the first that fails.
int write_pem(const CertificateRequest& request, std::array<unsigned char, 8192>& pem) {
  Writer writer;
  mbedtls_x509write_cert& crt = writer.crt;
  mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&crt, request.subject_key);
  mbedtls_x509write_crt_set_issuer_key(&crt, request.issuer_key);
  constexpr std::int64_t kHourMs = 3600 * 1000;
  constexpr std::int64_t kDayMs = 24 * kHourMs;
  const std::string from = x509_time(request.validity.from_wall_ms - kHourMs);
  const std::string to = x509_time(request.validity.from_wall_ms + request.validity.days * kDayMs);
  const std::string subject = "CN=" + request.subject;
  const std::string issuer = "CN=" + request.issuer;
  int result = mbedtls_x509write_crt_set_subject_name(&crt, subject.c_str());
  if (result == 0) result = mbedtls_x509write_crt_set_issuer_name(&crt, issuer.c_str());
  if (result == 0) result = set_serial(crt);
  if (result == 0) result = mbedtls_x509write_crt_set_validity(&crt, from.c_str(), to.c_str());
  if (result == 0) result = set_usage(crt, request);
  if (result == 0) result = set_names(crt, request.names);
  if (result == 0) result = mbedtls_x509write_crt_set_subject_key_identifier(&crt);
  if (result == 0) result = mbedtls_x509write_crt_set_authority_key_identifier(&crt);
  if (result == 0) {
    result = mbedtls_x509write_crt_pem(&crt, pem.data(), pem.size(), kernel_random, nullptr);
  }
  return result;
}

Result<std::string> issue(const CertificateRequest& request) {
  if (request.validity.days < 1 || request.validity.days > 7300) {
    return bad("a certificate is good for 1 to 7300 days");
  }
  TRY_VOID(check_name(request.subject));
  TRY_VOID(check_name(request.issuer));
  std::array<unsigned char, 8192> pem{};
  const int result = write_pem(request, pem);
  if (result != 0) return Error{Code::internal, "writing a certificate: " + error_text(result), ""};
  return std::string(reinterpret_cast<const char*>(pem.data()));
}

// The issuer's name, after a check that key and certificate belong together.
Result<std::string> issuer_name(const Issuer& issuer) {
  Certificate ca;
  TRY_VOID(tls_compat::parse_certificates(issuer.certificate_pem, ca.crt));
  if (tls_compat::check_pair(ca.crt.pk, issuer.key.impl().pk) != 0) {
    return bad("the CA's key does not belong to its certificate");
  }
  return common_name_of(ca.crt.subject);
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

Status parse_request(std::string_view text, mbedtls_x509_csr& csr) {
  constexpr std::size_t kMaxRequestBytes = 4096;
  if (text.empty() || text.size() > kMaxRequestBytes) {
    return bad("a certificate request is 1 to 4096 bytes of DER");
  }
  const int result = mbedtls_x509_csr_parse_der(&csr, bytes(text), text.size());
  if (result != 0) return bad("no certificate request: " + error_text(result));
  return check_request(csr);
}

}  // namespace

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

Result<std::string> make_ca(const PrivateKey& key, std::string_view common_name,
                            const Validity& validity) {
  CertificateRequest request;
  request.purpose = Purpose::authority;
  request.subject = std::string(common_name);
  request.issuer = request.subject;
  request.validity = validity;
  request.subject_key = &key.impl().pk;
  request.issuer_key = &key.impl().pk;
  return issue(request);
}

Result<std::string> issue_server_certificate(const Issuer& issuer, const PrivateKey& server_key,
                                             const std::vector<std::string>& names,
                                             const Validity& validity) {
  if (names.empty() || names.size() > 16) return bad("a server's certificate has 1 to 16 names");
  for (const std::string& name : names) TRY_VOID(check_name(name));
  CertificateRequest request;
  TRY(request.issuer, issuer_name(issuer));
  request.purpose = Purpose::server;
  request.subject = names.front();
  request.names = names;
  request.validity = validity;
  request.subject_key = &server_key.impl().pk;
  request.issuer_key = &issuer.key.impl().pk;
  return issue(request);
}

Result<std::string> issue_device_certificate(const Issuer& issuer, std::string_view csr_der,
                                             std::string_view device_id,
                                             const Validity& validity) {
  Request csr;
  TRY_VOID(parse_request(csr_der, csr.csr));
  CertificateRequest request;
  TRY(request.issuer, issuer_name(issuer));
  request.purpose = Purpose::device;
  request.subject = std::string(device_id);
  request.validity = validity;
  request.subject_key = &csr.csr.pk;
  request.issuer_key = &issuer.key.impl().pk;
  return issue(request);
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
