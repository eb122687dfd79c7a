// Public keys as TUF writes them, and the signing key of our own (Ed25519).
// Verifies ed25519, ecdsa-sha2-nistp256 and rsassa-pss-sha256; signs with Ed25519 only.
// A secret key never leaves this file except sealed, or plain into a file of mode 600.
#pragma once

#include <string>
#include <string_view>

#include "ota/hash.h"
#include "ota/json.h"

namespace ota {

/// A public key. A value; two keys are equal when their whole key objects are.
class PublicKey {
 public:
  /// Reads a TUF key object. A key of an unknown type or scheme, or whose value this build cannot
  /// use, is kept and never verifies anything (`usable()` is false): TUF says ignore, not fail.
  /// errors bad_metadata (not the form of a key object)
  static Result<PublicKey> from_json(const Json& object);
  static PublicKey ed25519(const std::array<std::uint8_t, 32>& value);

  /// SHA-256 of the canonical whole key object, unknown fields included, in hex.
  const std::string& keyid() const { return keyid_; }
  const std::string& keytype() const { return keytype_; }
  const std::string& scheme() const { return scheme_; }
  /// keyval.public: hex for ed25519, PEM for the others.
  const std::string& public_value() const { return public_value_; }
  const Json& to_json() const { return object_; }
  /// What makes two keys the same key: type and public bytes, whatever else the objects say.
  /// Thresholds count these, so that one key under two ids counts once.
  const std::string& identity() const { return identity_; }
  bool usable() const { return usable_; }

  /// True if `signature` (raw bytes) over `message` is by this key. False on anything else.
  bool verify(std::string_view message, std::string_view signature) const;

  bool operator==(const PublicKey& other) const { return object_ == other.object_; }

 private:
  PublicKey() = default;

  Json object_;
  std::string keyid_;
  std::string keytype_;
  std::string scheme_;
  std::string public_value_;
  std::string identity_;
  bool usable_ = false;
};

/// A signature as TUF lists it; the bytes are hex.
struct Signature {
  std::string keyid;
  std::string sig_hex;
  bool operator==(const Signature&) const = default;
};

/// An Ed25519 signing key; its secret half is wiped when it goes. Movable, never copied.
class SigningKey {
 public:
  static SigningKey generate();

  const PublicKey& public_key() const { return public_key_; }
  const std::string& keyid() const { return public_key_.keyid(); }

  /// Signs bytes (for metadata: the canonical form of `signed`).
  Signature sign(std::string_view message) const;

  /// The key file for a person's machine: JSON with the public key and the sealed secret half.
  /// errors no_memory | bad_argument (empty passphrase)
  Result<std::string> seal(const Secret& passphrase,
                           PassphraseCost cost = PassphraseCost::file) const;
  /// The key file for the controller's online keys: JSON with the plain secret half. Mode 600.
  Secret to_plain_file() const;

  /// Reads a key file of either form. A plain one ignores the passphrase.
  /// errors bad_argument (no key file) | unauthenticated (wrong passphrase, or secret and public
  ///        half do not belong together)
  static Result<SigningKey> open(std::string_view file, const Secret& passphrase);
  /// The public half of a key file of either form, without a passphrase. errors bad_argument
  static Result<PublicKey> public_half(std::string_view file);
  /// Whether open() needs a passphrase for this file. errors bad_argument
  static Result<bool> is_sealed(std::string_view file);

 private:
  SigningKey(Secret seed, PublicKey public_key);
  static Result<SigningKey> from_seed(Secret seed);

  Secret seed_;  // 32 bytes
  PublicKey public_key_;
};

}  // namespace ota
