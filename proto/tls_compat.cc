#include "proto/tls_compat.h"

#include <mbedtls/ecp.h>
#include <mbedtls/sha256.h>
#include <sys/random.h>

#include <array>
#include <cstdlib>

namespace proto::tls_compat {

int kernel_random(void*, unsigned char* out, std::size_t size_bytes) {
  std::size_t filled = 0;
  while (filled < size_bytes) {
    const ssize_t got = ::getrandom(out + filled, size_bytes - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    // A machine without random numbers has no identity: going on would be worse than ending.
    if (got <= 0) std::abort();
    filled += static_cast<std::size_t>(got);
  }
  return 0;
}

std::string error_text(int error) {
  std::array<char, 160> text{};
  mbedtls_strerror(error, text.data(), text.size());
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), " (-0x%04X)", static_cast<unsigned>(-error));
  return std::string(text.data()) + number.data();
}

const mbedtls_x509_crt_profile& strict_profile() {
  static constexpr mbedtls_x509_crt_profile kProfile = {
      MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
          MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
      MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
          MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
      0x7fffffff};  // no RSA of any length
  return kProfile;
}

std::string hex(const unsigned char* bytes, std::size_t size_bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(size_bytes * 2);
  for (std::size_t i = 0; i < size_bytes; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string sha256_hex(std::string_view input) {
  std::array<unsigned char, 32> digest{};
  // mbedtls_md keeps its name in 3.x, where the _ret functions lose theirs.
  mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes(input), input.size(),
             digest.data());
  return hex(digest.data(), digest.size());
}

Status parse_certificates(std::string_view pem_or_der, mbedtls_x509_crt& chain) {
  constexpr std::size_t kMaxBytes = 64 * 1024;
  if (pem_or_der.empty()) return Error{Code::bad_argument, "no certificate: empty text", ""};
  if (pem_or_der.size() > kMaxBytes) {
    return Error{Code::bad_argument, "certificates of more than 64 KiB", ""};
  }
  const std::string text(pem_or_der);
  const bool is_pem = text.find("-----BEGIN CERTIFICATE-----") != std::string::npos;
  const int result = mbedtls_x509_crt_parse(&chain, bytes(text), text.size() + (is_pem ? 1 : 0));
  if (result < 0) return Error{Code::bad_argument, "no certificate: " + error_text(result), ""};
  if (result > 0) {
    return Error{Code::bad_argument,
                 std::to_string(result) + " of the certificates cannot be read", ""};
  }
  return Status();
}

}  // namespace proto::tls_compat
