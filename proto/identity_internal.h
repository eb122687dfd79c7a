// What identity.cc and identity_issue.cc share. Not for others.
#pragma once

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <string>
#include <string_view>
#include <utility>

#include "proto/identity.h"

namespace proto {

struct PrivateKey::Impl {
  Impl() { mbedtls_pk_init(&pk); }
  ~Impl() { mbedtls_pk_free(&pk); }  // wipes
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  mutable mbedtls_pk_context pk;  // mbedTLS signs through a non-const pointer
};

namespace identity_detail {

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

inline Error bad(std::string what) { return Error{Code::bad_argument, std::move(what), ""}; }

/// [2] IMPLICIT IA5String of GeneralName, RFC 5280 4.2.1.6.
inline constexpr unsigned char kDnsName = 0x82;

/// A name that may stand in a certificate. errors bad_argument
Status check_name(std::string_view name);
std::string common_name_of(const mbedtls_x509_name& name);
/// As check_csr; the request stays parsed. errors bad_argument | bad_signature
Status parse_request(std::string_view der, mbedtls_x509_csr& csr);

}  // namespace identity_detail
}  // namespace proto
