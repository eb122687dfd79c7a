// Enrolment and the device's key and certificate, without a network.
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/credentials.h"
#include "agent/enroll.h"
#include "agent/real_ports.h"
#include "proto/json.h"
#include "tests/unit/agent/repository.h"

namespace {

namespace fs = std::filesystem;
using proto::Code;

class Folder : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "fleet-enroll-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
    auto opened = ota::RealDisk::open(path.string());
    ASSERT_TRUE(opened.has_value());
    disk = std::move(*opened);
  }
  void TearDown() override { fs::remove_all(path); }

  fs::path path;
  std::unique_ptr<ota::RealDisk> disk;
};

fleet::v1::Bootstrap bootstrap() {
  fleet::v1::Bootstrap out;
  out.set_version(1);
  out.set_address("192.0.2.1:8444");
  out.set_host_name("fleet.example.test");
  out.set_ca_pem("-----BEGIN CERTIFICATE-----");
  out.set_tuf_root("{}");
  out.set_token("secret");
  return out;
}

TEST(Bootstrap, AFileOfAnotherKindOrWithSomethingMissingIsRefusedByName) {
  EXPECT_FALSE(agent::read_bootstrap("not json").has_value());
  auto missing = bootstrap();
  missing.clear_token();
  const auto refused = agent::read_bootstrap(*proto::to_json(missing));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().what.find("token"), std::string::npos);
  auto newer = bootstrap();
  newer.set_version(2);
  EXPECT_EQ(agent::read_bootstrap(*proto::to_json(newer)).error().code, Code::not_supported);
  EXPECT_TRUE(agent::read_bootstrap(*proto::to_json(bootstrap())).has_value());
}

TEST(Enrolled, TheWordsArePlain) {
  agent::Enrolled enrolled;
  enrolled.name = "edge-301";
  enrolled.host_name = "fleet.example.net";
  enrolled.until_ms = 1'803'000'000'000;
  enrolled.root_version = 1;
  enrolled.root_threshold = 2;
  enrolled.root_keys = 3;
  enrolled.groups = {"edge"};
  enrolled.wanted = {"dns 4"};
  EXPECT_EQ(agent::describe(enrolled),
            "Key made on this device (never leaves it). Certificate for edge-301 from "
            "fleet.example.net, good until 2027-02-19.\n"
            "Trust root 1, 2 of 3 keys. Joined group edge: dns 4 is wanted here.\n");
}

TEST(HostPort, ReadsBothFormsAndRefusesOthers) {
  EXPECT_EQ(agent::parse_host_port("192.0.2.1:8444")->host, "192.0.2.1");
  EXPECT_EQ(agent::parse_host_port("[2001:db8::1]:8444")->host, "2001:db8::1");
  EXPECT_EQ(agent::parse_host_port("[2001:db8::1]:8444")->port, 8444);
  for (const char* text : {"", "host", ":1", "host:", "host:0", "host:70000", "host:1x"}) {
    EXPECT_FALSE(agent::parse_host_port(text).has_value()) << text;
  }
}

class CredentialsTest : public Folder {
 protected:
  void SetUp() override {
    Folder::SetUp();
    ca_key.emplace(*proto::PrivateKey::generate());
    ca_pem = *proto::make_ca(*ca_key, "ca", {kFromMs, 3650});
    identity.device_id = "abcdefghijklmnop";
    identity.name = "edge-1";
    identity.address = "192.0.2.1:8444";
    identity.host_name = "fleet.example.test";
    identity.ca_pem = ca_pem;
    const auto key = *proto::PrivateKey::generate();
    identity.device_pem = key.to_pem() + certificate(*proto::make_csr(key, "device"));
    ASSERT_TRUE(agent::store_identity(*disk, identity).has_value());
  }
  std::string certificate(const std::string& csr, const std::string& id = "abcdefghijklmnop") {
    const proto::Issuer issuer{ca_pem, *ca_key};
    return *proto::issue_device_certificate(issuer, csr, id, {kFromMs, 90});
  }

  static constexpr std::int64_t kFromMs = 1'800'000'000'000;
  std::optional<proto::PrivateKey> ca_key;
  std::string ca_pem;
  agent::Identity identity;
};

TEST_F(CredentialsTest, WhatWasStoredComesBackAndTheKeyIsForTheOwnerAlone) {
  const auto loaded = agent::load_identity(*disk);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().what;
  EXPECT_EQ(loaded->name, "edge-1");
  EXPECT_EQ(loaded->device_pem, identity.device_pem);
  const auto mode = fs::status(path / agent::kDeviceFile).permissions();
  EXPECT_EQ(mode, fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(CredentialsTest, ADeviceThatIsNotEnrolledSaysWhatToDo) {
  fs::remove(path / agent::kIdentityFile);
  const auto loaded = agent::load_identity(*disk);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, Code::not_found);
  EXPECT_NE(loaded.error().what.find("fleet-agent enroll"), std::string::npos);
}

TEST_F(CredentialsTest, ARenewalReplacesKeyAndCertificateTogether) {
  auto credentials = *agent::DiskCredentials::load(*disk, identity);
  const std::uint64_t before = credentials->version();
  const std::string csr = *credentials->make_request();
  const auto installed = credentials->install(certificate(csr));
  ASSERT_TRUE(installed.has_value()) << installed.error().what;
  EXPECT_GT(credentials->version(), before);
  const auto loaded = agent::load_identity(*disk);
  EXPECT_NE(loaded->device_pem, identity.device_pem);
  EXPECT_TRUE(proto::PrivateKey::from_pem(credentials->key_pem()).has_value());
}

TEST_F(CredentialsTest, ACertificateOfAnotherKeyDeviceOrCaIsRefusedAndNothingChanges) {
  auto credentials = *agent::DiskCredentials::load(*disk, identity);
  EXPECT_EQ(credentials->install("x").error().code, Code::conflict);
  const std::string csr = *credentials->make_request();
  const auto other_key = *proto::PrivateKey::generate();
  EXPECT_FALSE(credentials->install(certificate(*proto::make_csr(other_key, "d"))).has_value());
  EXPECT_FALSE(credentials->install(certificate(csr, "ponmlkjihgfedcba")).has_value());
  const auto other_ca = *proto::make_ca(other_key, "other", {kFromMs, 3650});
  const proto::Issuer other{other_ca, other_key};
  const auto foreign =
      *proto::issue_device_certificate(other, csr, identity.device_id, {kFromMs, 90});
  EXPECT_FALSE(credentials->install(foreign).has_value());
  EXPECT_EQ(agent::load_identity(*disk)->device_pem, identity.device_pem);
  EXPECT_TRUE(credentials->install(certificate(csr)).has_value());
}

}  // namespace
