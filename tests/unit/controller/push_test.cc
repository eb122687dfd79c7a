#include "controller/push.h"

#include "ota/trusted_set.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

using proto::Code;

struct Push : ::testing::Test {
  World world;
  Push() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2"}) {
      world.enroll(name);
      world.online(name);
    }
  }
  Code refused(const v1::PushRequest& request, const std::string& key = "") {
    const auto begun = world.push(request, key);
    if (begun) return Code::unset;
    what = begun.error().what;
    return begun.error().code;
  }
  std::string what;
};

TEST_F(Push, BecomesAReleaseMetadataAndWishesAtOnce) {
  const auto begun = world.push(world.next_push("edge"));
  ASSERT_TRUE(begun.has_value()) << begun.error().what;
  EXPECT_EQ(begun->id(), "r-1");
  EXPECT_EQ(begun->counts.devices(), 2u);
  world.restart();  // P1: what was answered survives
  const auto release = world.store->release("dns", 1);
  ASSERT_TRUE(release.has_value() && release->has_value());
  EXPECT_EQ((*release)->by, "ana");
  EXPECT_EQ((*release)->key_id, world.app_key.keyid());
  EXPECT_TRUE((*world.metadata->file("1.apps.dns.json")).has_value());
  for (const char* name : {"edge-1", "edge-2"}) world.online(name);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_EQ(world.wish("edge-1")->rollout(), "r-1");
  EXPECT_NE(world.wish("edge-1")->attempt(), world.wish("edge-2")->attempt());
  EXPECT_GT(world.generation("edge-1"), 0);
}

TEST_F(Push, AClientThatTrustsTheRootFindsTheRelease) {
  ASSERT_TRUE(world.push(world.next_push("edge")).has_value());
  const auto root = world.store->metadata("root");
  auto set = ota::TrustedSet::start(**root, world.clock.wall_ms() / 1000);
  ASSERT_TRUE(set.has_value());
  ASSERT_TRUE(set->update_timestamp(**world.metadata->file("timestamp.json")).has_value());
  const auto snapshot_version = set->timestamp()->value.snapshot.version;
  const auto snapshot = world.metadata->file(std::to_string(snapshot_version) + ".snapshot.json");
  ASSERT_TRUE(set->update_snapshot(**snapshot, false).has_value());
  ASSERT_TRUE(set->update_targets(**world.metadata->file("1.targets.json")).has_value());
  const Status role =
      set->update_delegated(**world.metadata->file("1.apps.dns.json"), "apps.dns", "targets");
  EXPECT_TRUE(role.has_value()) << (role ? "" : role.error().what);
}

TEST_F(Push, WithTheSameKeyIsTheSameRollout) {
  const v1::PushRequest request = world.next_push("edge");
  const auto first = world.push(request, "key-of-this-push");
  const auto second = world.push(request, "key-of-this-push");
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->number, second->number);
  v1::PushRequest other = request;
  other.set_selector("edge-1");
  EXPECT_EQ(refused(other, "key-of-this-push"), Code::conflict);
  world.restart();
  EXPECT_EQ(world.push(request, "key-of-this-push")->number, first->number);
}

TEST_F(Push, OfTwoThatRaceOneIsToldToSignAgain) {
  const auto before = world.role;
  const v1::PushRequest ana = world.next_push("edge", "ana's image");
  world.role = before;
  const v1::PushRequest bob = world.next_push("edge", "bob's image");
  ASSERT_TRUE(world.push(ana, "key-of-ana").has_value());
  EXPECT_EQ(refused(bob, "key-of-bob"), Code::conflict);
  EXPECT_NE(what.find("refresh and sign again"), std::string::npos) << what;
  EXPECT_EQ(world.store->releases("dns")->size(), 1u);
}

TEST_F(Push, NeedsEveryBlobFirst) {
  v1::PushRequest request = world.next_push("edge", "an image");
  const auto disk = ota::RealDisk::open(world.directory / "controller");
  ASSERT_TRUE((*disk)->remove("blobs/" + ota::sha256("an image").hex()).has_value());
  EXPECT_EQ(refused(request), Code::not_found);
  EXPECT_NE(what.find(ota::sha256("an image").hex()), std::string::npos) << what;
  EXPECT_TRUE(world.store->releases("dns")->empty());
  EXPECT_TRUE(world.store->rollouts(10)->empty());
}

TEST_F(Push, WithAFlippedByteIsRefused) {
  v1::PushRequest request = world.next_push("edge");
  std::string text = request.app_metadata();
  const std::size_t at = text.find("\"length\"");
  ASSERT_NE(at, std::string::npos);
  char& digit = text[text.find_first_of(",}", at) - 1];  // the last: still a number
  digit = static_cast<char>(digit ^ 1);
  request.set_app_metadata(text);
  EXPECT_EQ(refused(request), Code::bad_signature) << what;
}

TEST_F(Push, SignedByAnotherKeyIsRefused) {
  world.app_key = ota::SigningKey::generate();
  EXPECT_EQ(refused(world.next_push("edge")), Code::bad_signature);
}

TEST_F(Push, OfAnAppWithoutAKeyIsRefused) {
  v1::PushRequest request = world.next_push("edge");
  request.set_app("web");
  EXPECT_EQ(refused(request), Code::not_signed);
}

TEST_F(Push, ThatSaysAnotherNumberThanItsRoleIsRefused) {
  v1::PushRequest request = world.next_push("edge");
  request.set_release(2);
  EXPECT_EQ(refused(request), Code::conflict);
}

TEST_F(Push, ToNobodyNamesWhatIsNear) {
  EXPECT_EQ(refused(world.next_push("egde")), Code::not_found);
  EXPECT_NE(what.find("matches none of 2 devices"), std::string::npos) << what;
  ASSERT_FALSE(world.nearest.empty());
  EXPECT_EQ(world.nearest.front(), "edge");
}

TEST(PushWithoutTrust, IsToldToMakeKeysFirst) {
  World world;
  v1::PushRequest request;
  request.set_app("dns");
  request.set_release(1);
  request.set_selector("all");
  EXPECT_FALSE(world.push(request).has_value());
}

TEST(Trust, ARootWithOtherOnlineKeysIsRefused) {
  World world;
  ota::RootPlan plan;
  const auto other = ota::SigningKey::generate();
  plan.root_keys = {world.root_key.public_key()};
  plan.targets_keys = {world.targets_key.public_key()};
  plan.snapshot_keys = {other.public_key()};
  plan.timestamp_keys = {World::key_of(world.data->online_keys.to_api().timestamp())};
  const auto root = ota::make_root(plan, world.clock.wall_ms() / 1000);
  const ota::SigningKey* const keys[] = {&world.root_key};
  v1::MetadataUpload upload;
  upload.set_role("root");
  upload.set_json(ota::sign(*root, keys));
  const Status taken = world.upload(upload);
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Code::bad_argument);
  EXPECT_NE(taken.error().what.find("/v1/online-keys"), std::string::npos);
}

TEST(Trust, AnotherFirstRootIsNotTakenOverTheFirst) {
  World world;
  world.set_up_trust();
  const auto ours = **world.store->metadata("root");
  world.root_key = ota::SigningKey::generate();
  ota::RootPlan plan;
  plan.root_keys = {world.root_key.public_key()};
  plan.targets_keys = {world.targets_key.public_key()};
  plan.snapshot_keys = {World::key_of(world.data->online_keys.to_api().snapshot())};
  plan.timestamp_keys = {World::key_of(world.data->online_keys.to_api().timestamp())};
  const auto root = ota::make_root(plan, world.clock.wall_ms() / 1000);
  const ota::SigningKey* const keys[] = {&world.root_key};
  v1::MetadataUpload upload;
  upload.set_role("root");
  upload.set_json(ota::sign(*root, keys));
  EXPECT_FALSE(world.upload(upload).has_value());
  EXPECT_EQ(**world.store->metadata("root"), ours);
}

TEST(Trust, TimestampAndSnapshotRenewThemselvesAtHalfTheirLife) {
  World world;
  world.set_up_trust();
  const auto version = [&](const char* role) {
    const auto text = world.store->metadata(role);
    if (std::string(role) == "snapshot") return ota::parse_snapshot(**text)->value.header.version;
    return ota::parse_timestamp(**text)->value.header.version;
  };
  const auto timestamp = version("timestamp");
  const auto snapshot = version("snapshot");
  ASSERT_TRUE(world.metadata->renew().has_value());
  EXPECT_EQ(version("timestamp"), timestamp) << "not due";
  world.clock.advance(13 * 3600 * 1000);
  ASSERT_TRUE(world.metadata->renew().has_value());
  EXPECT_GT(version("timestamp"), timestamp);
  EXPECT_EQ(version("snapshot"), snapshot);
  world.clock.advance(4 * 24 * 3600 * 1000ll);
  ASSERT_TRUE(world.metadata->renew().has_value());
  EXPECT_GT(version("snapshot"), snapshot);
}

TEST(Trust, FilesAreNamedAsClientsAskForThem) {
  World world;
  world.set_up_trust();
  for (const char* name : {"root.json", "1.root.json", "timestamp.json", "targets.json",
                           "1.targets.json"}) {
    EXPECT_TRUE((*world.metadata->file(name)).has_value()) << name;
  }
  for (const char* name : {"2.root.json", "0.root.json", "root", ".json", "1..json", "web.json",
                           "99999999999999999999.root.json", "-1.root.json"}) {
    EXPECT_FALSE((*world.metadata->file(name)).has_value()) << name;
  }
}

}  // namespace
}  // namespace controller
