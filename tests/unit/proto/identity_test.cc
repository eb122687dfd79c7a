#include "proto/identity.h"

#include <gtest/gtest.h>

#include "tls_fixture.h"

namespace {

using proto::Code;
using proto::PrivateKey;
using proto_test::kNowMs;
using proto_test::TestCa;

TEST(IdentityTest, AKeySurvivesItsPem) {
  const PrivateKey key = PrivateKey::generate().value();
  const PrivateKey again = PrivateKey::from_pem(key.to_pem()).value();
  EXPECT_EQ(key.public_key_sha256(), again.public_key_sha256());
  EXPECT_EQ(key.public_key_sha256().size(), 64U);
}

TEST(IdentityTest, WhatIsNoPlainPemIsNoKey) {
  for (const char* text : {"", "hello", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"}) {
    const auto key = PrivateKey::from_pem(text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, Code::bad_argument);
  }
}

TEST(IdentityTest, ARequestIsAcceptedWithTheKeyThatSignedIt) {
  const PrivateKey key = PrivateKey::generate().value();
  const std::string csr = proto::make_csr(key, "edge-1").value();
  EXPECT_EQ(proto::check_csr(csr).value().public_key_sha256, key.public_key_sha256());
}

TEST(IdentityTest, ARequestWithAnyByteChangedIsRefused) {
  const PrivateKey key = PrivateKey::generate().value();
  const std::string csr = proto::make_csr(key, "edge-1").value();
  for (std::size_t i = 0; i < csr.size(); ++i) {
    std::string changed = csr;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(proto::check_csr(changed)) << "byte " << i;
  }
}

TEST(IdentityTest, ARequestOfAnotherKeyIsABadSignature) {
  const PrivateKey key = PrivateKey::generate().value();
  std::string csr = proto::make_csr(key, "edge-1").value();
  const std::size_t name = csr.find("edge-1");
  ASSERT_NE(name, std::string::npos);
  csr[name] = 'x';
  EXPECT_EQ(proto::check_csr(csr).error().code, Code::bad_signature);
}

TEST(IdentityTest, AHugeOrEmptyRequestIsRefusedByItsSize) {
  EXPECT_EQ(proto::check_csr("").error().code, Code::bad_argument);
  EXPECT_EQ(proto::check_csr(std::string(5000, 'x')).error().code, Code::bad_argument);
}

TEST(IdentityTest, NamesWithAMeaningInX509TextAreRefused) {
  const PrivateKey key = PrivateKey::generate().value();
  for (const char* name : {"", "a,O=b", "a=b", "a\\b", "a b", "a\nb", "a+b", "#61"}) {
    const auto csr = proto::make_csr(key, name);
    ASSERT_FALSE(csr) << name;
    EXPECT_EQ(csr.error().code, Code::bad_argument);
  }
  EXPECT_FALSE(proto::make_csr(key, std::string(65, 'a')));
}

TEST(IdentityTest, AServerCertificateCarriesItsNames) {
  const TestCa ca;
  const PrivateKey key = PrivateKey::generate().value();
  const std::vector<std::string> names{"fleet.example.test", "controller"};
  const std::string pem = proto::issue_server_certificate(ca.issuer(), key, names,
                                                          {kNowMs, 30}).value();
  const auto facts = proto::read_certificate(pem).value();
  EXPECT_EQ(facts.common_name, "fleet.example.test");
  EXPECT_EQ(facts.dns_names, names);
  EXPECT_EQ(facts.issuer_common_name, "test-ca");
  EXPECT_EQ(facts.public_key_sha256, key.public_key_sha256());
  EXPECT_FALSE(facts.is_ca);
  EXPECT_EQ(facts.serial.size(), 32U);
  EXPECT_EQ(facts.not_after_ms, kNowMs + 30LL * 24 * 3600 * 1000);
}

TEST(IdentityTest, ManyLongNamesStillFit) {
  const TestCa ca;
  const PrivateKey key = PrivateKey::generate().value();
  std::vector<std::string> names;
  for (char c = 'a'; c < 'q'; ++c) names.push_back(std::string(60, c) + ".x");
  const auto pem = proto::issue_server_certificate(ca.issuer(), key, names, {kNowMs, 30});
  ASSERT_TRUE(pem) << pem.error().what;
  EXPECT_EQ(proto::read_certificate(pem.value()).value().dns_names, names);
  names.push_back("one-too-many");
  EXPECT_FALSE(proto::issue_server_certificate(ca.issuer(), key, names, {kNowMs, 30}));
}

TEST(IdentityTest, ADeviceCertificateTakesNothingFromTheRequestButItsKey) {
  const TestCa ca;
  const PrivateKey key = PrivateKey::generate().value();
  const std::string csr = proto::make_csr(key, "i-am-the-controller").value();
  const std::string pem = proto::issue_device_certificate(ca.issuer(), csr, "abcdefghij234567",
                                                          {kNowMs, 90}).value();
  const auto facts = proto::read_certificate(pem).value();
  EXPECT_EQ(facts.common_name, "abcdefghij234567");
  EXPECT_TRUE(facts.dns_names.empty());
  EXPECT_EQ(facts.public_key_sha256, key.public_key_sha256());
}

TEST(IdentityTest, TwoCertificatesNeverShareASerial) {
  const TestCa ca;
  const PrivateKey key = PrivateKey::generate().value();
  const auto one = proto::issue_server_certificate(ca.issuer(), key, {"a"}, {kNowMs, 1}).value();
  const auto two = proto::issue_server_certificate(ca.issuer(), key, {"a"}, {kNowMs, 1}).value();
  EXPECT_NE(proto::read_certificate(one).value().serial,
            proto::read_certificate(two).value().serial);
}

TEST(IdentityTest, DaysOutOfRangeAreRefused) {
  const PrivateKey key = PrivateKey::generate().value();
  EXPECT_FALSE(proto::make_ca(key, "ca", {kNowMs, 0}));
  EXPECT_FALSE(proto::make_ca(key, "ca", {kNowMs, 7301}));
  EXPECT_TRUE(proto::make_ca(key, "ca", {kNowMs, 7300}));  // past 2049: another time format
}

TEST(IdentityTest, AnotherCaOfTheSameNameIsToldApart) {
  const TestCa ours;
  const TestCa theirs;
  const PrivateKey key = PrivateKey::generate().value();
  const auto pem = proto::issue_server_certificate(ours.issuer(), key, {"a"}, {kNowMs, 1}).value();
  EXPECT_TRUE(proto::check_issued_by(pem, ours.certificate_pem));
  const auto refused = proto::check_issued_by(pem, theirs.certificate_pem);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unauthenticated);
  EXPECT_NE(refused.error().what.find("certificate of another CA"), std::string::npos);
}

TEST(IdentityTest, ACaWithAStrangersKeyIssuesNothing) {
  const TestCa ca;
  const PrivateKey stranger = PrivateKey::generate().value();
  const proto::Issuer mixed{ca.certificate_pem, stranger};
  const auto pem = proto::issue_server_certificate(mixed, stranger, {"a"}, {kNowMs, 1});
  ASSERT_FALSE(pem);
  EXPECT_EQ(pem.error().code, Code::bad_argument);
}

}  // namespace
