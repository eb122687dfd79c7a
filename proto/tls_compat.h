// What tls and identity share of mbedTLS, and where 2.28 and 3.x differ. Only for those files.
#pragma once

#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include <string>
#include <string_view>

#include "proto/result.h"

// 3.x hides its members behind this; in 2.28 they are open.
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

namespace proto::tls_compat {

/// Random numbers for mbedTLS straight from the kernel: no state to guard, safe after a fork.
int kernel_random(void* unused, unsigned char* out, std::size_t size_bytes);

/// "X509 - ... (-0x2700)".
std::string error_text(int error);

/// P-256 and P-384, SHA-256 or better, nothing else.
const mbedtls_x509_crt_profile& strict_profile();

/// SHA-256 in hex.
std::string sha256_hex(std::string_view bytes);
std::string hex(const unsigned char* bytes, std::size_t size_bytes);

/// The PEM or DER parsed; the chain in the order of the text. errors bad_argument
Status parse_certificates(std::string_view pem_or_der, mbedtls_x509_crt& chain);


/// mbedTLS wants PEM text with its final NUL.
inline const unsigned char* bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.c_str());
}
inline const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline std::string_view view(const mbedtls_x509_buf& buffer) {
  return {reinterpret_cast<const char*>(buffer.p), buffer.len};
}

inline int parse_key(mbedtls_pk_context& key, const std::string& pem) {
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_parse_key(&key, bytes(pem), pem.size() + 1, nullptr, 0, kernel_random, nullptr);
#else
  return mbedtls_pk_parse_key(&key, bytes(pem), pem.size() + 1, nullptr, 0);
#endif
}

inline int check_pair(const mbedtls_pk_context& public_key, const mbedtls_pk_context& private_key) {
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_check_pair(&public_key, &private_key, kernel_random, nullptr);
#else
  return mbedtls_pk_check_pair(&public_key, &private_key);
#endif
}

inline mbedtls_ecp_group_id group_of(const mbedtls_pk_context& key) {
  if (!mbedtls_pk_can_do(&key, MBEDTLS_PK_ECDSA)) return MBEDTLS_ECP_DP_NONE;
  return mbedtls_pk_ec(key)->MBEDTLS_PRIVATE(grp).id;
}

}  // namespace proto::tls_compat
