#include "ota/hash.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ota {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

// libsodium wants this before anything else; it is cheap and thread-safe when repeated.
void use_sodium() {
  static const int ready = sodium_init();
  FLEET_ASSERT(ready >= 0);
}

const std::uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Fills `out` from exactly that many lower-case pairs of digits.
Status read_digest(std::string_view text, std::span<std::uint8_t> out, const char* what) {
  const bool lower = std::all_of(text.begin(), text.end(), [](char digit) {
    return kHexDigits.find(digit) != std::string_view::npos;
  });
  if (text.size() != out.size() * 2 || !lower) {
    return Error{Code::bad_argument,
                 std::string("a ") + what + " is " + std::to_string(out.size() * 2) +
                     " lower-case hex digits",
                 ""};
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
  }
  return {};
}

std::string random_base32(std::size_t length) {
  std::vector<std::uint8_t> bytes(length);
  random_bytes(bytes);
  std::string text;
  for (const std::uint8_t byte : bytes) text += kBase32[byte % kBase32.size()];
  sodium_memzero(bytes.data(), bytes.size());
  return text;
}

// The whole file from offset 0, which stays where it is.
template <typename Take>
Status read_pieces(int fd, Take take) {
  std::vector<std::uint8_t> buffer(64 * 1024);
  off_t offset = 0;
  for (;;) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Error{Code::io, std::string("reading a file to hash it: ") + std::strerror(errno), ""};
    }
    if (count == 0) return {};
    take(std::span<const std::uint8_t>(buffer.data(), static_cast<std::size_t>(count)));
    offset += count;
  }
}

// The layout of a passphrase box: magic, opslimit and memlimit in KiB as little-endian u32, salt,
// nonce, secretbox.
constexpr std::string_view kBoxMagic = "FLTBOX1\n";
constexpr std::size_t kCostAt = kBoxMagic.size();
constexpr std::size_t kSaltAt = kCostAt + 8;
constexpr std::size_t kNonceAt = kSaltAt + crypto_pwhash_SALTBYTES;
constexpr std::size_t kCipherAt = kNonceAt + crypto_secretbox_NONCEBYTES;
// A foreign file may not make us spend more than this.
constexpr std::uint32_t kMaxOps = 16;
constexpr std::uint32_t kMaxMemory_KiB = 1024 * 1024;

struct Cost {
  std::uint32_t ops;
  std::uint32_t memory_kib;
};

void write_u32(std::uint8_t* out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint32_t read_u32(const std::uint8_t* in) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | in[i];
  return value;
}

Result<Secret> derive_key(const Secret& passphrase, const std::uint8_t* salt, Cost cost) {
  Secret key(std::size_t{crypto_secretbox_KEYBYTES});
  const int failed = crypto_pwhash(
      key.data(), key.size(), reinterpret_cast<const char*>(passphrase.data()), passphrase.size(),
      salt, cost.ops, std::size_t{cost.memory_kib} * 1024, crypto_pwhash_ALG_ARGON2ID13);
  if (failed != 0) {
    return Error{Code::no_memory,
                 "the passphrase's key derivation needs " +
                     std::to_string(cost.memory_kib / 1024) + " MiB of memory; free some",
                 ""};
  }
  return key;
}

}  // namespace

std::string Sha256::hex() const { return to_hex(bytes); }
std::string Sha512::hex() const { return to_hex(bytes); }

Result<Sha256> Sha256::from_hex(std::string_view text) {
  Sha256 digest;
  TRY_VOID(read_digest(text, digest.bytes, "SHA-256"));
  return digest;
}

Result<Sha512> Sha512::from_hex(std::string_view text) {
  Sha512 digest;
  TRY_VOID(read_digest(text, digest.bytes, "SHA-512"));
  return digest;
}

Hasher::Hasher() {
  static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(state_));
  static_assert(alignof(crypto_hash_sha256_state) <= 16);
  static_assert(std::is_trivially_copyable_v<crypto_hash_sha256_state>);
  use_sodium();
  crypto_hash_sha256_init(reinterpret_cast<crypto_hash_sha256_state*>(state_.data()));
}

void Hasher::update(std::string_view bytes) {
  FLEET_ASSERT(!finished_);
  crypto_hash_sha256_update(reinterpret_cast<crypto_hash_sha256_state*>(state_.data()),
                            as_bytes(bytes), bytes.size());
}

void Hasher::update(std::span<const std::uint8_t> bytes) {
  update(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Sha256 Hasher::finish() {
  FLEET_ASSERT(!finished_);
  finished_ = true;
  Sha256 digest;
  crypto_hash_sha256_final(reinterpret_cast<crypto_hash_sha256_state*>(state_.data()),
                           digest.bytes.data());
  return digest;
}

Sha256 sha256(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Sha256 empty_digest() { return sha256(""); }

Sha512 sha512(std::string_view bytes) {
  use_sodium();
  Sha512 digest;
  crypto_hash_sha512(digest.bytes.data(), as_bytes(bytes), bytes.size());
  return digest;
}

Result<Sha256> hash_file(int fd) {
  Hasher hasher;
  TRY_VOID(read_pieces(fd, [&](std::span<const std::uint8_t> piece) { hasher.update(piece); }));
  return hasher.finish();
}

Result<Sha512> hash_file_sha512(int fd) {
  use_sodium();
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  TRY_VOID(read_pieces(fd, [&](std::span<const std::uint8_t> piece) {
    crypto_hash_sha512_update(&state, piece.data(), piece.size());
  }));
  Sha512 digest;
  crypto_hash_sha512_final(&state, digest.bytes.data());
  return digest;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kHexDigits[byte >> 4];
    text += kHexDigits[byte & 15];
  }
  return text;
}

Result<std::vector<std::uint8_t>> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  if (text.size() % 2 != 0) return Error{Code::bad_argument, "an odd number of hex digits", ""};
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return Error{Code::bad_argument, "not a hex digit", ""};
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return bytes;
}

Secret::Secret(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}
Secret::Secret(std::size_t size_bytes) : bytes_(size_bytes) {}
Secret::Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

Secret::~Secret() { wipe(); }

std::string_view Secret::view() const {
  return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
}

void Secret::wipe() {
  if (!bytes_.empty()) sodium_memzero(bytes_.data(), bytes_.size());
}

void wipe(std::string& text) {
  if (!text.empty()) sodium_memzero(text.data(), text.size());
  text.clear();
}

void random_bytes(std::span<std::uint8_t> out) {
  use_sodium();
  randombytes_buf(out.data(), out.size());
}

std::uint32_t random_below(std::uint32_t bound) {
  FLEET_ASSERT(bound >= 1);
  use_sodium();
  return randombytes_uniform(bound);
}

std::string random_id() { return random_base32(16); }
std::string random_token() { return random_base32(52); }

Sha256 hash_token(std::string_view token) { return sha256(token); }

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> seal_with_passphrase(std::string_view plain, const Secret& passphrase,
                                         PassphraseCost cost) {
  use_sodium();
  if (passphrase.empty()) return Error{Code::bad_argument, "the passphrase is empty", ""};
  const Cost limits = cost == PassphraseCost::file ? Cost{3, 256 * 1024} : Cost{1, 8};
  std::string sealed(kCipherAt + crypto_secretbox_MACBYTES + plain.size(), '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(sealed.data());
  std::copy(kBoxMagic.begin(), kBoxMagic.end(), sealed.begin());
  write_u32(out + kCostAt, limits.ops);
  write_u32(out + kCostAt + 4, limits.memory_kib);
  randombytes_buf(out + kSaltAt, kCipherAt - kSaltAt);  // salt and nonce
  TRY(const Secret key, derive_key(passphrase, out + kSaltAt, limits));
  crypto_secretbox_easy(out + kCipherAt, as_bytes(plain), plain.size(), out + kNonceAt,
                        key.data());
  return sealed;
}

Result<Secret> open_with_passphrase(std::string_view sealed, const Secret& passphrase) {
  use_sodium();
  if (sealed.size() < kCipherAt + crypto_secretbox_MACBYTES ||
      sealed.substr(0, kBoxMagic.size()) != kBoxMagic) {
    return Error{Code::bad_argument, "these bytes are no passphrase box", ""};
  }
  const std::uint8_t* in = as_bytes(sealed);
  const Cost cost{read_u32(in + kCostAt), read_u32(in + kCostAt + 4)};
  if (cost.ops < crypto_pwhash_OPSLIMIT_MIN || cost.ops > kMaxOps || cost.memory_kib < 8 ||
      cost.memory_kib > kMaxMemory_KiB) {
    return Error{Code::bad_argument, "the passphrase box asks for an absurd cost", ""};
  }
  TRY(const Secret key, derive_key(passphrase, in + kSaltAt, cost));
  Secret plain(sealed.size() - kCipherAt - crypto_secretbox_MACBYTES);
  if (crypto_secretbox_open_easy(plain.data(), in + kCipherAt, sealed.size() - kCipherAt,
                                 in + kNonceAt, key.data()) != 0) {
    return Error{Code::unauthenticated, "the passphrase is wrong, or the file was changed", ""};
  }
  return plain;
}

}  // namespace ota
