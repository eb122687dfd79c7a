#include "controller/enrolment.h"

#include <filesystem>

#include "tests/unit/controller/world.h"

namespace controller {
namespace {

using proto::Code;

struct EnrolmentTest : ::testing::Test {
  World world;
  EnrolmentTest() { world.set_up_trust(); }

  v1::EnrollRequest request(const std::string& token, const proto::PrivateKey& key,
                            const std::string& name) {
    v1::EnrollRequest out;
    out.set_token(token);
    out.set_csr_der(*proto::make_csr(key, "device"));
    out.set_name(name);
    return out;
  }
};

TEST_F(EnrolmentTest, ATokenAndAKeyBecomeADevice) {
  v1::EnrollTokenRequest wish;
  wish.set_group("edge");
  (*wish.mutable_labels())["site"] = "lyon";
  const auto token = world.enrolment->make_token(wish, "ana");
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(token->bootstrap().address(), "192.0.2.1:8444");
  EXPECT_EQ(token->bootstrap().host_name(), "fleet.example.net");
  EXPECT_FALSE(token->bootstrap().tuf_root().empty());
  const auto key = proto::PrivateKey::generate();
  v1::EnrollRequest ask = request(token->bootstrap().token(), *key, "edge-1");
  (*ask.mutable_labels())["device.rack"] = "7";
  const auto reply = world.enrolment->enroll(ask);
  ASSERT_TRUE(reply.has_value()) << reply.error().what;
  EXPECT_EQ(reply->name(), "edge-1");
  EXPECT_EQ(reply->groups(0), "edge");
  const auto facts = proto::read_certificate(reply->certificate_pem());
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->common_name, reply->device_id());
  EXPECT_EQ(facts->public_key_sha256, key->public_key_sha256());
  EXPECT_TRUE(proto::check_issued_by(reply->certificate_pem(), world.data->ca_pem).has_value());
  const auto subject = world.store->subject(reply->device_id());
  EXPECT_EQ(subject->labels.at("site"), "lyon");
  EXPECT_EQ(subject->labels.at("device.rack"), "7");
}

TEST_F(EnrolmentTest, OnlyTheHashOfATokenIsKept) {
  const v1::EnrollToken token = world.token();
  EXPECT_FALSE((*world.store->enroll_token(token.bootstrap().token())).has_value());
  EXPECT_TRUE((*world.store->enroll_token(
                   ota::hash_token(token.bootstrap().token()).hex())).has_value());
}

TEST_F(EnrolmentTest, ALostAnswerCanBeAskedForAgain) {
  const v1::EnrollToken token = world.token();
  const auto key = proto::PrivateKey::generate();
  const auto ask = request(token.bootstrap().token(), *key, "edge-1");
  const auto first = world.enrolment->enroll(ask);
  world.clock.advance(48ll * 3600 * 1000);  // also when the token is too old by then
  const auto again = world.enrolment->enroll(ask);
  ASSERT_TRUE(first.has_value() && again.has_value());
  EXPECT_EQ(first->device_id(), again->device_id());
  EXPECT_EQ(world.store->devices()->size(), 1u);
}

TEST_F(EnrolmentTest, AUsedUpTokenSaysHowToGoOn) {
  const v1::EnrollToken token = world.token(1);
  const auto one = proto::PrivateKey::generate();
  const auto other = proto::PrivateKey::generate();
  ASSERT_TRUE(world.enrolment->enroll(request(token.bootstrap().token(), *one, "a")).has_value());
  const auto refused = world.enrolment->enroll(request(token.bootstrap().token(), *other, "b"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::token_used);
  EXPECT_NE(refused.error().what.find("fleetctl enroll-token"), std::string::npos);
}

TEST_F(EnrolmentTest, ATokenHasAsManyUsesAsItSays) {
  const v1::EnrollToken token = world.token(2);
  for (const char* name : {"a", "b", "c"}) {
    const auto key = proto::PrivateKey::generate();
    const auto reply = world.enrolment->enroll(request(token.bootstrap().token(), *key, name));
    EXPECT_EQ(reply.has_value(), std::string(name) != "c") << name;
  }
}

TEST_F(EnrolmentTest, ATokenThatIsTooOldIsRefused) {
  const v1::EnrollToken token = world.token();
  world.clock.advance(24ll * 3600 * 1000);
  const auto key = proto::PrivateKey::generate();
  EXPECT_EQ(world.enrolment->enroll(request(token.bootstrap().token(), *key, "a")).error().code,
            Code::token_used);
}

TEST_F(EnrolmentTest, AnUnknownTokenIsNotLetIn) {
  const auto key = proto::PrivateKey::generate();
  for (const std::string& token : {std::string(), std::string("wrong"), ota::random_token()}) {
    EXPECT_EQ(world.enrolment->enroll(request(token, *key, "a")).error().code,
              Code::unauthenticated);
  }
}

TEST_F(EnrolmentTest, ARequestThatIsNotSignedByItsKeyIsRefused) {
  const v1::EnrollToken token = world.token();
  const auto key = proto::PrivateKey::generate();
  v1::EnrollRequest ask = request(token.bootstrap().token(), *key, "a");
  char& last = ask.mutable_csr_der()->back();
  last = static_cast<char>(last ^ 1);
  EXPECT_FALSE(world.enrolment->enroll(ask).has_value());
  ask.set_csr_der("no request");
  EXPECT_EQ(world.enrolment->enroll(ask).error().code, Code::bad_argument);
  EXPECT_TRUE(world.store->devices()->empty());
}

TEST_F(EnrolmentTest, ANameIsUniqueAndPlain) {
  world.enroll("edge-1");
  const v1::EnrollToken token = world.token(10);
  const auto key = proto::PrivateKey::generate();
  const std::pair<const char*, Code> cases[] = {{"edge-1", Code::already_exists},
                                                {"Edge", Code::bad_argument},
                                                {"a b", Code::bad_argument},
                                                {"../x", Code::bad_argument},
                                                {"all", Code::bad_argument},
                                                {"-a", Code::bad_argument}};
  for (const auto& [name, code] : cases) {
    const auto refused = world.enrolment->enroll(request(token.bootstrap().token(), *key, name));
    ASSERT_FALSE(refused.has_value()) << name;
    EXPECT_EQ(refused.error().code, code) << name;
  }
  const auto chosen = world.enrolment->enroll(request(token.bootstrap().token(), *key, ""));
  ASSERT_TRUE(chosen.has_value());
  EXPECT_TRUE(is_name(chosen->name())) << chosen->name();
}

TEST_F(EnrolmentTest, ADeviceBringsNoLabelsOfTheOperator) {
  const v1::EnrollToken token = world.token();
  const auto key = proto::PrivateKey::generate();
  v1::EnrollRequest ask = request(token.bootstrap().token(), *key, "a");
  (*ask.mutable_labels())["site"] = "lyon";
  EXPECT_EQ(world.enrolment->enroll(ask).error().code, Code::bad_argument);
  EXPECT_TRUE(world.store->devices()->empty()) << "nothing of it is kept";
}

TEST_F(EnrolmentTest, ARevokedDeviceGetsNoCertificateAnyMore) {
  const v1::EnrollToken token = world.token();
  const auto key = proto::PrivateKey::generate();
  const auto ask = request(token.bootstrap().token(), *key, "a");
  const auto reply = world.enrolment->enroll(ask);
  ASSERT_TRUE(reply.has_value());
  ASSERT_TRUE(world.store->revoke_device(reply->device_id()).has_value());
  EXPECT_EQ(world.enrolment->enroll(ask).error().code, Code::forbidden);
  EXPECT_EQ(world.enrolment->renew(reply->device_id(), ask.csr_der()).error().code,
            Code::forbidden);
}

TEST_F(EnrolmentTest, ARenewedCertificateHasTheNewKey) {
  const std::string id = world.enroll("edge-1");
  const auto key = proto::PrivateKey::generate();
  const auto pem = world.enrolment->renew(id, *proto::make_csr(*key, "device"));
  ASSERT_TRUE(pem.has_value());
  EXPECT_EQ(proto::read_certificate(*pem)->public_key_sha256, key->public_key_sha256());
  EXPECT_EQ((*world.store->device(id))->public_key, key->public_key_sha256());
}

TEST(EnrolmentWithoutTrust, IsToldToMakeKeysFirst) {
  World world;
  const auto refused = world.enrolment->make_token({}, "ana");
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().what.find("fleetctl keys init"), std::string::npos);
}

TEST(DataDirectory, IsMadeOnceAndIsPrivate) {
  TempDir directory;
  const std::string path = directory / "d";
  ASSERT_TRUE(init_data_dir(path, {"fleet.example.net"}, 1'700'000'000'000).has_value());
  const Status again = init_data_dir(path, {"fleet.example.net"}, 1'700'000'000'000);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::already_exists);
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(path).permissions() & fs::perms::all, fs::perms::owner_all);
  for (const auto& entry : fs::directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    if (entry.path().filename().string().rfind("controller.db", 0) == 0) continue;
    EXPECT_EQ(fs::status(entry).permissions() & (fs::perms::group_all | fs::perms::others_all),
              fs::perms::none)
        << entry.path();
  }
  const auto data = open_data_dir(path);
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(data->host_name, "fleet.example.net");
  const auto facts = proto::read_certificate(data->server_pem);
  EXPECT_EQ(facts->dns_names, (std::vector<std::string>{"fleet.example.net", "localhost"}));
  EXPECT_EQ(open_data_dir(directory / "none").error().code, Code::not_found);
}

}  // namespace
}  // namespace controller
