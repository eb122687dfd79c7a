// Writing certificates: the CA's own, of servers and of devices.
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <ctime>

#include "proto/identity_internal.h"
#include "proto/tls_compat.h"

namespace proto {

using identity_detail::bad;
using identity_detail::Certificate;
using identity_detail::check_name;
using identity_detail::common_name_of;
using identity_detail::kDnsName;
using identity_detail::parse_request;
using identity_detail::Request;
using tls_compat::bytes;
using tls_compat::error_text;
using tls_compat::kernel_random;

namespace {

std::string x509_time(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 20> text{};
  std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &utc);
  return text.data();
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

}  // namespace

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

}  // namespace proto
