// Everybody's door to libsodium: digests, random values, secrets that wipe, passphrase boxes.
// It never parses anything foreign except hex digits and the fixed layout of its own boxes.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace ota {

using proto::Code;
using proto::Error;
using proto::Result;
using proto::Status;

/// A SHA-256 digest: the name of every blob, and of every metadata file's content.
struct Sha256 {
  std::array<std::uint8_t, 32> bytes{};

  /// 64 lower-case hex digits.
  std::string hex() const;
  /// Reads 64 hex digits, lower case only, so that one digest has one spelling.
  /// errors bad_argument
  static Result<Sha256> from_hex(std::string_view text);

  auto operator<=>(const Sha256&) const = default;
};

/// A SHA-512 digest; only read, because other TUF repositories list it beside SHA-256.
struct Sha512 {
  std::array<std::uint8_t, 64> bytes{};

  std::string hex() const;
  static Result<Sha512> from_hex(std::string_view text);

  auto operator<=>(const Sha512&) const = default;
};

/// SHA-256 over bytes that come in pieces. A value: a copy goes on from the same point.
class Hasher {
 public:
  Hasher();
  void update(std::string_view bytes);
  void update(std::span<const std::uint8_t> bytes);
  /// The digest of all bytes so far. The hasher may not be updated after it.
  Sha256 finish();

 private:
  // crypto_hash_sha256_state without its header; a static_assert in hash.cc compares the size.
  alignas(16) std::array<std::uint8_t, 128> state_{};
  bool finished_ = false;
};

Sha256 sha256(std::string_view bytes);
/// Of no bytes: what the base of a delta from nothing is called (ota/delta.h).
Sha256 empty_digest();
Sha512 sha512(std::string_view bytes);

/// The digest of a whole file, read from offset 0 by pread, so that the file offset stays.
/// in     fd: borrowed, readable, not a pipe
/// errors io
Result<Sha256> hash_file(int fd);
/// The same for a target that is listed by SHA-512 alone.
Result<Sha512> hash_file_sha512(int fd);

std::string to_hex(std::span<const std::uint8_t> bytes);
/// Reads lower- or upper-case hex digits, two per byte. errors bad_argument
Result<std::vector<std::uint8_t>> from_hex(std::string_view text);

/// Bytes that are wiped when they go: keys, passphrases, tokens read from a file.
/// Movable, never copied: a secret has one place.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes);
  explicit Secret(std::size_t size_bytes);  // zero bytes, to be filled through data()
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  std::string_view view() const;

 private:
  void wipe();

  std::vector<std::uint8_t> bytes_;
};

/// Wipes a string that held a secret, before it is freed or used again.
void wipe(std::string& text);

/// Fills from the kernel's generator.
void random_bytes(std::span<std::uint8_t> out);
/// A number below `bound` without bias; bound >= 1.
std::uint32_t random_below(std::uint32_t bound);
/// 16 random base32 characters (a-z2-7), 80 bits: ids of devices, attempts, instances.
std::string random_id();
/// 52 random base32 characters, 260 bits: API and enrolment tokens.
std::string random_token();

/// What the server keeps of a token. Plain SHA-256: of 260 random bits there is nothing to guess.
Sha256 hash_token(std::string_view token);

/// Compares in a time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

/// What guessing one passphrase costs (Argon2id). `file` is about a second and 256 MiB, for keys at
/// rest; `quick` is for tests.
enum class PassphraseCost { file, quick };

/// Seals bytes with a passphrase: Argon2id, then secretbox (XSalsa20-Poly1305).
/// out    binary, self-contained: cost, salt, nonce and box; fixed layout in hash.cc
/// errors no_memory | bad_argument (empty passphrase)
Result<std::string> seal_with_passphrase(std::string_view plain, const Secret& passphrase,
                                         PassphraseCost cost);
/// Opens what seal_with_passphrase made.
/// errors unauthenticated (wrong passphrase or changed bytes) | bad_argument (no such box, or one
///        whose cost is beyond our bounds) | no_memory
Result<Secret> open_with_passphrase(std::string_view sealed, const Secret& passphrase);

}  // namespace ota
