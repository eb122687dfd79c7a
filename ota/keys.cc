// mbedTLS 3 hides its structs; the curve of a key has no getter in every version of it.
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "ota/keys.h"

#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <sodium.h>

#include <utility>

namespace ota {
namespace {

constexpr std::size_t kMinRsaBits = 2048;
constexpr std::size_t kMaxRsaBits = 8192;  // beyond it one verification costs a device too long
constexpr std::size_t kMaxKeyTextBytes = 8192;
constexpr const char* kFileType = "unifleet-signing-key";

const std::uint8_t* as_bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// Owns an mbedTLS key context.
class Pk {
 public:
  Pk() { mbedtls_pk_init(&context_); }
  ~Pk() { mbedtls_pk_free(&context_); }
  Pk(const Pk&) = delete;
  Pk& operator=(const Pk&) = delete;

  /// Reads a PEM SubjectPublicKeyInfo.
  bool parse(const std::string& pem) {
    if (pem.size() > kMaxKeyTextBytes || pem.find('\0') != std::string::npos) return false;
    if (pem.rfind("-----BEGIN PUBLIC KEY-----", 0) != 0) return false;
    // The length includes the terminating zero: that is how mbedTLS knows PEM from DER.
    return mbedtls_pk_parse_public_key(&context_, as_bytes(pem), pem.size() + 1) == 0;
  }

  bool is_p256() {
    return mbedtls_pk_get_type(&context_) == MBEDTLS_PK_ECKEY &&
           mbedtls_pk_ec(context_)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
  }
  bool is_rsa() {
    const std::size_t bits = mbedtls_pk_get_bitlen(&context_);
    return mbedtls_pk_get_type(&context_) == MBEDTLS_PK_RSA && bits >= kMinRsaBits &&
           bits <= kMaxRsaBits;
  }

  /// The key in DER, which has one form however the PEM text was broken into lines.
  std::string der() {
    std::string buffer(kMaxKeyTextBytes, '\0');
    auto* begin = reinterpret_cast<std::uint8_t*>(buffer.data());
    const int length = mbedtls_pk_write_pubkey_der(&context_, begin, buffer.size());
    if (length <= 0) return "";
    return buffer.substr(buffer.size() - static_cast<std::size_t>(length));  // written at the end
  }

  bool verify_ecdsa(const Sha256& digest, std::string_view signature) {
    return mbedtls_pk_verify(&context_, MBEDTLS_MD_SHA256, digest.bytes.data(),
                             digest.bytes.size(), as_bytes(signature), signature.size()) == 0;
  }

  bool verify_rsa_pss(const Sha256& digest, std::string_view signature) {
    mbedtls_pk_rsassa_pss_options options{};
    options.mgf1_hash_id = MBEDTLS_MD_SHA256;
    // Signers use the digest's length or the longest possible salt; both are sound.
    options.expected_salt_len = MBEDTLS_RSA_SALT_LEN_ANY;
    return mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &options, &context_, MBEDTLS_MD_SHA256,
                                 digest.bytes.data(), digest.bytes.size(), as_bytes(signature),
                                 signature.size()) == 0;
  }

 private:
  mbedtls_pk_context context_;
};

enum class Algorithm { unknown, ed25519, ecdsa_p256, rsa_pss };

Algorithm algorithm_of(std::string_view keytype, std::string_view scheme) {
  if (keytype == "ed25519" && scheme == "ed25519") return Algorithm::ed25519;
  if ((keytype == "ecdsa" || keytype == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256") {
    return Algorithm::ecdsa_p256;
  }
  if (keytype == "rsa" && scheme == "rsassa-pss-sha256") return Algorithm::rsa_pss;
  return Algorithm::unknown;
}

// The identity of a key's material, or "" if this build cannot use it.
std::string identity_of(Algorithm algorithm, const std::string& value) {
  switch (algorithm) {
    case Algorithm::unknown: return "";
    case Algorithm::ed25519: {
      const auto bytes = from_hex(value);
      if (!bytes || bytes->size() != crypto_sign_PUBLICKEYBYTES) return "";
      return "ed25519:" + to_hex(*bytes);
    }
    case Algorithm::ecdsa_p256: {
      Pk pk;
      if (!pk.parse(value) || !pk.is_p256()) return "";
      return "ecdsa:" + pk.der();
    }
    case Algorithm::rsa_pss: {
      Pk pk;
      if (!pk.parse(value) || !pk.is_rsa()) return "";
      return "rsa:" + pk.der();
    }
  }
  return "";
}

Result<std::string> text_member(const Json& object, const char* name) {
  const Json* member = object.find(name);
  if (member == nullptr || !member->is_string()) {
    return Error{Code::bad_metadata, std::string("a key without a text member `") + name + "`", ""};
  }
  return member->as_string();
}

Error not_a_key_file(const std::string& why) {
  return Error{Code::bad_argument, "not a signing key file: " + why, ""};
}

Result<Json> parse_key_file(std::string_view file) {
  if (file.size() > 64 * 1024) return not_a_key_file("too long");
  auto parsed = parse_json(file);
  if (!parsed) return not_a_key_file(parsed.error().what);
  const Json* type = parsed->find("_type");
  if (type == nullptr || !(*type == Json(kFileType))) {
    return not_a_key_file(std::string("`_type` is not \"") + kFileType + "\"");
  }
  return parsed;
}

Result<PublicKey> public_half_of(const Json& file) {
  const Json* key = file.find("public");
  if (key == nullptr) return not_a_key_file("no member `public`");
  auto parsed = PublicKey::from_json(*key);
  if (!parsed) return not_a_key_file(parsed.error().what);
  return parsed;
}

Json file_head(const PublicKey& key) {
  Json file = Json::object();
  file.set("_type", kFileType);
  file.set("keyid", key.keyid());
  file.set("public", key.to_json());
  return file;
}

}  // namespace

Result<PublicKey> PublicKey::from_json(const Json& object) {
  if (!object.is_object()) {
    return Error{Code::bad_metadata, std::string("a key is an object, not ") + object.kind_name(),
                 ""};
  }
  PublicKey key;
  TRY(key.keytype_, text_member(object, "keytype"));
  TRY(key.scheme_, text_member(object, "scheme"));
  const Json* keyval = object.find("keyval");
  if (keyval == nullptr || !keyval->is_object()) {
    return Error{Code::bad_metadata, "a key without an object member `keyval`", ""};
  }
  const Algorithm algorithm = algorithm_of(key.keytype_, key.scheme_);
  if (algorithm != Algorithm::unknown) {
    TRY(key.public_value_, text_member(*keyval, "public"));
  }
  key.object_ = object;
  key.keyid_ = sha256(canonical_json(object)).hex();
  key.identity_ = identity_of(algorithm, key.public_value_);
  key.usable_ = !key.identity_.empty();
  if (!key.usable_) key.identity_ = "unusable:" + key.keyid_;
  return key;
}

PublicKey PublicKey::ed25519(const std::array<std::uint8_t, 32>& value) {
  Json keyval = Json::object();
  keyval.set("public", to_hex(value));
  Json object = Json::object();
  object.set("keytype", "ed25519");
  object.set("keyval", std::move(keyval));
  object.set("scheme", "ed25519");
  auto key = from_json(object);
  FLEET_ASSERT(key.has_value() && key->usable());
  return std::move(key).value();
}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  if (!usable_) return false;
  switch (algorithm_of(keytype_, scheme_)) {
    case Algorithm::unknown: return false;
    case Algorithm::ed25519: {
      const auto value = from_hex(public_value_);
      if (!value || value->size() != crypto_sign_PUBLICKEYBYTES) return false;
      if (signature.size() != crypto_sign_BYTES) return false;
      return crypto_sign_verify_detached(as_bytes(signature), as_bytes(message), message.size(),
                                         value->data()) == 0;
    }
    case Algorithm::ecdsa_p256: {
      Pk pk;
      return pk.parse(public_value_) && pk.is_p256() &&
             pk.verify_ecdsa(sha256(message), signature);
    }
    case Algorithm::rsa_pss: {
      Pk pk;
      return pk.parse(public_value_) && pk.is_rsa() &&
             pk.verify_rsa_pss(sha256(message), signature);
    }
  }
  return false;
}

SigningKey::SigningKey(Secret seed, PublicKey public_key)
    : seed_(std::move(seed)), public_key_(std::move(public_key)) {}

Result<SigningKey> SigningKey::from_seed(Secret seed) {
  if (seed.size() != crypto_sign_SEEDBYTES) {
    return not_a_key_file("the secret half is not 32 bytes");
  }
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> value{};
  Secret expanded(std::size_t{crypto_sign_SECRETKEYBYTES});
  crypto_sign_seed_keypair(value.data(), expanded.data(), seed.data());
  return SigningKey(std::move(seed), PublicKey::ed25519(value));
}

SigningKey SigningKey::generate() {
  Secret seed(std::size_t{crypto_sign_SEEDBYTES});
  random_bytes(std::span<std::uint8_t>(seed.data(), seed.size()));
  auto key = from_seed(std::move(seed));
  FLEET_ASSERT(key.has_value());
  return std::move(key).value();
}

Signature SigningKey::sign(std::string_view message) const {
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> value{};
  Secret expanded(std::size_t{crypto_sign_SECRETKEYBYTES});
  crypto_sign_seed_keypair(value.data(), expanded.data(), seed_.data());
  std::array<std::uint8_t, crypto_sign_BYTES> signature{};
  crypto_sign_detached(signature.data(), nullptr, as_bytes(message), message.size(),
                       expanded.data());
  return Signature{keyid(), to_hex(signature)};
}

Result<std::string> SigningKey::seal(const Secret& passphrase, PassphraseCost cost) const {
  TRY(const std::string box, seal_with_passphrase(seed_.view(), passphrase, cost));
  Json file = file_head(public_key_);
  file.set("sealed", to_hex(std::span<const std::uint8_t>(as_bytes(box), box.size())));
  return pretty_json(file);
}

Secret SigningKey::to_plain_file() const {
  std::string seed_hex = to_hex(std::span<const std::uint8_t>(seed_.data(), seed_.size()));
  std::string text = pretty_json(file_head(public_key_));
  // Put in by hand, so that no JSON value keeps an unwiped copy.
  text.erase(text.rfind("\n}"));
  Secret file(text.size() + seed_hex.size() + 16);
  std::string_view parts[] = {text, ",\n \"seed\": \"", seed_hex, "\"\n}\n"};
  std::size_t at = 0;
  for (const std::string_view part : parts) {
    std::copy(part.begin(), part.end(), file.data() + at);
    at += part.size();
  }
  wipe(seed_hex);
  Secret exact(file.view().substr(0, at));
  return exact;
}

Result<SigningKey> SigningKey::open(std::string_view file, const Secret& passphrase) {
  TRY(Json parsed, parse_key_file(file));
  TRY(const PublicKey expected, public_half_of(parsed));
  const Json* sealed = parsed.find("sealed");
  const Json* plain = parsed.find("seed");
  const Json* holder = sealed != nullptr ? sealed : plain;
  if (holder == nullptr || !holder->is_string()) return not_a_key_file("no secret half in it");
  auto bytes = from_hex(holder->as_string());
  if (!bytes) return not_a_key_file("the secret half is not hex digits");
  Secret seed(std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size()));
  sodium_memzero(bytes->data(), bytes->size());
  // A plain secret half is in the parsed text too; `parsed` is ours and not const.
  wipe(const_cast<std::string&>(holder->as_string()));
  if (sealed != nullptr) {
    TRY(seed, open_with_passphrase(seed.view(), passphrase));
  }
  TRY(SigningKey key, from_seed(std::move(seed)));
  if (!(key.public_key() == expected)) {
    return Error{Code::unauthenticated,
                 "the key file's secret and public half do not belong together; take the copy",
                 ""};
  }
  return key;
}

Result<PublicKey> SigningKey::public_half(std::string_view file) {
  TRY(const Json parsed, parse_key_file(file));
  return public_half_of(parsed);
}

Result<bool> SigningKey::is_sealed(std::string_view file) {
  TRY(const Json parsed, parse_key_file(file));
  return parsed.find("sealed") != nullptr;
}

}  // namespace ota
