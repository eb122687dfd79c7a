// Public keys of the three kinds, and our own signing keys.
#include "ota/keys.h"

#include <gtest/gtest.h>

#include "tests/unit/ota/key_vectors.h"

namespace {

using ota::Code;
using ota::Json;
using ota::PassphraseCost;
using ota::PublicKey;
using ota::Secret;
using ota::SigningKey;

Json key_object(const char* keytype, const char* scheme, const std::string& value) {
  Json keyval = Json::object();
  keyval.set("public", value);
  Json object = Json::object();
  object.set("keytype", keytype);
  object.set("scheme", scheme);
  object.set("keyval", std::move(keyval));
  return object;
}

PublicKey read(const Json& object) {
  auto key = PublicKey::from_json(object);
  EXPECT_TRUE(key.has_value());
  return std::move(key).value();
}

std::string raw(const char* hex) {
  const auto bytes = ota::from_hex(hex);
  EXPECT_TRUE(bytes.has_value());
  return std::string(bytes->begin(), bytes->end());
}

struct Foreign {
  const char* name;
  const char* keytype;
  const char* scheme;
  const char* key;
  const char* signature;
  bool good;
};

class ForeignKey : public testing::TestWithParam<Foreign> {};

TEST_P(ForeignKey, VerifiesOnlyWhatItSignedInItsScheme) {
  const Foreign& given = GetParam();
  const PublicKey key = read(key_object(given.keytype, given.scheme, given.key));
  const std::string signature = raw(given.signature);
  EXPECT_EQ(key.verify(vectors::kMessage, signature), given.good);
  EXPECT_FALSE(key.verify("another part", signature));
  EXPECT_FALSE(key.verify(vectors::kMessage, signature + "x"));
  EXPECT_FALSE(key.verify(vectors::kMessage, signature.substr(1)));
  EXPECT_FALSE(key.verify(vectors::kMessage, ""));
}

const Foreign kForeign[] = {
    {"EcdsaP256", "ecdsa", "ecdsa-sha2-nistp256", vectors::kEcdsaKey, vectors::kEcdsaSignature,
     true},
    {"EcdsaOldKeytype", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", vectors::kEcdsaKey,
     vectors::kEcdsaSignature, true},
    {"EcdsaOnAnotherCurve", "ecdsa", "ecdsa-sha2-nistp256", vectors::kP384Key,
     vectors::kP384Signature, false},
    {"RsaPssWithASaltOfTheDigestsLength", "rsa", "rsassa-pss-sha256", vectors::kRsaKey,
     vectors::kRsaSignatureDigestSalt, true},
    {"RsaPssWithTheLongestSalt", "rsa", "rsassa-pss-sha256", vectors::kRsaKey,
     vectors::kRsaSignatureLongSalt, true},
    {"RsaInTheOldPadding", "rsa", "rsassa-pss-sha256", vectors::kRsaKey, vectors::kRsaSignatureV15,
     false},
    {"RsaOf1024Bits", "rsa", "rsassa-pss-sha256", vectors::kShortRsaKey,
     vectors::kShortRsaSignature, false},
    {"AnUnknownScheme", "rsa", "rsa-pkcs1v15-sha256", vectors::kRsaKey, vectors::kRsaSignatureV15,
     false},
    {"AnRsaKeyUnderTheNameOfEcdsa", "ecdsa", "ecdsa-sha2-nistp256", vectors::kRsaKey,
     vectors::kRsaSignatureDigestSalt, false},
    {"TextThatIsNoPem", "ecdsa", "ecdsa-sha2-nistp256", "no key", vectors::kEcdsaSignature, false},
};

INSTANTIATE_TEST_SUITE_P(Keys, ForeignKey, testing::ValuesIn(kForeign),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Keys, Rfc8032VectorTwoVerifies) {
  const PublicKey key = read(key_object(
      "ed25519", "ed25519", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
  const std::string signature =
      raw("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(key.verify("\x72", signature));
  EXPECT_FALSE(key.verify("\x73", signature));
}

TEST(Keys, TheKeyidIsTheDigestOfTheWholeCanonicalObject) {
  Json object = key_object("ed25519", "ed25519", std::string(64, 'a'));
  const std::string canonical =
      "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":\"" + std::string(64, 'a') +
      "\"},\"scheme\":\"ed25519\"}";
  EXPECT_EQ(read(object).keyid(), ota::sha256(canonical).hex());
  const PublicKey plain = read(object);
  object.set("x-note", "ana");
  const PublicKey noted = read(object);
  EXPECT_NE(noted.keyid(), plain.keyid());
  EXPECT_EQ(noted.identity(), plain.identity());  // one key, whatever is written beside it
  EXPECT_EQ(noted.to_json(), object);
}

TEST(Keys, APemTextBrokenElsewhereIsTheSameKey) {
  std::string wide = vectors::kEcdsaKey;
  wide += "\n";
  const PublicKey first = read(key_object("ecdsa", "ecdsa-sha2-nistp256", vectors::kEcdsaKey));
  const PublicKey second = read(key_object("ecdsa", "ecdsa-sha2-nistp256", wide));
  EXPECT_NE(first.keyid(), second.keyid());
  EXPECT_EQ(first.identity(), second.identity());
}

TEST(Keys, AnUnknownKindIsKeptAndVerifiesNothing) {
  const PublicKey key = read(key_object("sphincs", "sphincs-x", "whatever"));
  EXPECT_FALSE(key.usable());
  EXPECT_FALSE(key.verify("", ""));
}

TEST(Keys, WhatHasNotTheFormOfAKeyIsRefused) {
  for (const char* text :
       {"[]", "{}", "{\"keytype\":\"ed25519\"}", "{\"keytype\":1,\"scheme\":\"a\",\"keyval\":{}}",
        "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":\"ab\"}",
        "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{}}"}) {
    const auto key = PublicKey::from_json(*ota::parse_json(text));
    ASSERT_FALSE(key.has_value()) << text;
    EXPECT_EQ(key.error().code, Code::bad_metadata);
  }
}

TEST(SigningKey, WhatItSignsItsPublicHalfVerifies) {
  const SigningKey key = SigningKey::generate();
  const ota::Signature signature = key.sign("a message");
  EXPECT_EQ(signature.keyid, key.keyid());
  EXPECT_TRUE(key.public_key().verify("a message", raw(signature.sig_hex.c_str())));
  EXPECT_FALSE(SigningKey::generate().public_key().verify("a message",
                                                          raw(signature.sig_hex.c_str())));
}

TEST(SigningKey, ASealedFileOpensWithItsPassphraseOnly) {
  const SigningKey key = SigningKey::generate();
  const auto file = key.seal(Secret("ana"), PassphraseCost::quick);
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(SigningKey::public_half(*file)->keyid(), key.keyid());
  EXPECT_TRUE(*SigningKey::is_sealed(*file));
  const auto again = SigningKey::open(*file, Secret("ana"));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->sign("m"), key.sign("m"));
  const auto wrong = SigningKey::open(*file, Secret("bob"));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::unauthenticated);
}

TEST(SigningKey, APlainFileOpensWithoutAPassphrase) {
  const SigningKey key = SigningKey::generate();
  const Secret file = key.to_plain_file();
  EXPECT_FALSE(*SigningKey::is_sealed(file.view()));
  const auto again = SigningKey::open(file.view(), Secret());
  ASSERT_TRUE(again.has_value()) << again.error().what;
  EXPECT_EQ(again->sign("m"), key.sign("m"));
}

TEST(SigningKey, HalvesOfTwoKeysAreRefused) {
  const SigningKey key = SigningKey::generate();
  Json file = *ota::parse_json(key.to_plain_file().view());
  file.set("public", SigningKey::generate().public_key().to_json());
  const auto mixed = SigningKey::open(ota::pretty_json(file), Secret());
  ASSERT_FALSE(mixed.has_value());
  EXPECT_EQ(mixed.error().code, Code::unauthenticated);
}

TEST(SigningKey, WhatIsNoKeyFileIsRefused) {
  for (const char* text : {"", "{}", "[]", "{\"_type\":\"unifleet-signing-key\"}",
                           "{\"_type\":\"unifleet-signing-key\",\"public\":{}}"}) {
    const auto key = SigningKey::open(text, Secret("ana"));
    ASSERT_FALSE(key.has_value()) << text;
    EXPECT_EQ(key.error().code, Code::bad_argument);
  }
}

}  // namespace
