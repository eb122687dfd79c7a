// Session tickets under keys that the caller keeps, so that they survive a restart of the server.
// Layout: key name 4 | iv 12 | AES-256-GCM(made at, 8 bytes big-endian seconds | session) | tag 16.
#include <mbedtls/gcm.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "proto/tls_compat.h"
#include "proto/tls_internal.h"

namespace proto::tls_compat {
namespace {

constexpr std::size_t kNameBytes = 4;
constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kHeadBytes = kNameBytes + kIvBytes;

struct Gcm {
  explicit Gcm(const TicketKey& key) {
    mbedtls_gcm_init(&context);
    status = mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, key.key.data(), 256);
  }
  ~Gcm() { mbedtls_gcm_free(&context); }
  Gcm(const Gcm&) = delete;
  Gcm& operator=(const Gcm&) = delete;
  mbedtls_gcm_context context;
  int status = 0;
};

void put_time(unsigned char* out, std::uint64_t seconds) {
  for (std::size_t i = 0; i < kTimeBytes; ++i) {
    out[i] = static_cast<unsigned char>(seconds >> (8 * (kTimeBytes - 1 - i)));
  }
}

std::uint64_t get_time(const unsigned char* in) {
  std::uint64_t seconds = 0;
  for (std::size_t i = 0; i < kTimeBytes; ++i) seconds = seconds << 8 | in[i];
  return seconds;
}

}  // namespace

Result<TicketKey> make_ticket_key(const std::string& key_bytes) {
  TicketKey key;
  if (key_bytes.size() != key.key.size()) {
    return Error{Code::bad_argument, "a ticket key has 32 bytes", ""};
  }
  std::memcpy(key.key.data(), key_bytes.data(), key.key.size());
  const std::string digest = sha256_hex("unifleet ticket key name" + key_bytes);
  std::memcpy(key.name.data(), digest.data(), key.name.size());
  return key;
}

int write_ticket(void* context, const mbedtls_ssl_session* session, unsigned char* start,
                 const unsigned char* end, std::size_t* length, std::uint32_t* lifetime_seconds) {
  const auto& impl = *static_cast<const TlsContext::Impl*>(context);
  const TicketKey& key = impl.tickets.front();
  *length = 0;
  *lifetime_seconds = impl.ticket_lifetime_seconds;
  const auto room = static_cast<std::size_t>(end - start);
  if (room < kHeadBytes + kTimeBytes + kTagBytes) return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
  unsigned char* plain = start + kHeadBytes;
  std::memcpy(start, key.name.data(), kNameBytes);
  kernel_random(nullptr, start + kNameBytes, kIvBytes);
  put_time(plain, static_cast<std::uint64_t>(std::time(nullptr)));
  std::size_t session_bytes = 0;
  int result = mbedtls_ssl_session_save(session, plain + kTimeBytes,
                                        room - kHeadBytes - kTimeBytes - kTagBytes, &session_bytes);
  if (result != 0) return result;
  const std::size_t plain_bytes = kTimeBytes + session_bytes;
  Gcm gcm(key);
  if (gcm.status != 0) return gcm.status;
  result = mbedtls_gcm_crypt_and_tag(&gcm.context, MBEDTLS_GCM_ENCRYPT, plain_bytes,
                                     start + kNameBytes, kIvBytes, start, kHeadBytes, plain, plain,
                                     kTagBytes, plain + plain_bytes);
  if (result == 0) *length = kHeadBytes + plain_bytes + kTagBytes;
  return result;
}

int read_ticket(void* context, mbedtls_ssl_session* session, unsigned char* ticket,
                std::size_t length) {
  auto& impl = *static_cast<TlsContext::Impl*>(context);
  if (length < kHeadBytes + kTimeBytes + kTagBytes) return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
  const auto named = [ticket](const TicketKey& key) {
    return std::memcmp(key.name.data(), ticket, kNameBytes) == 0;
  };
  const auto key = std::find_if(impl.tickets.begin(), impl.tickets.end(), named);
  if (key == impl.tickets.end()) return MBEDTLS_ERR_SSL_INVALID_MAC;
  unsigned char* plain = ticket + kHeadBytes;
  const std::size_t plain_bytes = length - kHeadBytes - kTagBytes;
  Gcm gcm(*key);
  if (gcm.status != 0) return gcm.status;
  int result = mbedtls_gcm_auth_decrypt(&gcm.context, plain_bytes, ticket + kNameBytes, kIvBytes,
                                        ticket, kHeadBytes, plain + plain_bytes, kTagBytes, plain,
                                        plain);
  if (result != 0) return MBEDTLS_ERR_SSL_INVALID_MAC;
  const std::uint64_t made = get_time(plain);
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  if (now > made + impl.ticket_lifetime_seconds) return MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
  result = mbedtls_ssl_session_load(session, plain + kTimeBytes, plain_bytes - kTimeBytes);
  mbedtls_platform_zeroize(plain, plain_bytes);
  if (result == 0) impl.ticket_taken = true;
  return result;
}

}  // namespace proto::tls_compat
