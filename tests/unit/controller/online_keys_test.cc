// The online roles renew themselves, however long the controller is left alone, and their keys give
// way to new ones when a root names them, whatever is written first.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "controller/store_sql.h"
#include "ota/updater.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::int64_t kHourMs = 3'600'000;

// A device's look at what the controller serves.
class Client final : public ota::MetadataSource {
 public:
  explicit Client(World& world) : world_(world) {
    const auto root = world.metadata->file("1.root.json");
    FLEET_ASSERT(root.has_value() && root->has_value());
    FLEET_ASSERT(updater_.bootstrap(**root).has_value());
  }
  Result<std::string> fetch(std::string_view name, std::size_t) override {
    TRY(auto file, world_.metadata->file(name));
    if (!file) return Error{Code::not_found, "404", ""};
    return std::move(*file);
  }
  Status refresh() { return updater_.refresh(world_.clock.wall_ms() / 1000); }
  bool holds(const char* file) { return store_.read(file, 1 << 20).has_value(); }
  ota::MemoryMetadataStore& store() { return store_; }

 private:
  World& world_;
  ota::MemoryMetadataStore store_;
  ota::Updater updater_{*this, store_};
};

struct OnlineKeysTest : ::testing::Test {
  World world;
  OnlineKeysTest() { world.set_up_trust(); }

  std::int64_t version(const char* role) {
    const auto roles = world.metadata->expiries();
    for (const v1::RoleExpiry& one : *roles) {
      if (one.role() == role) return static_cast<std::int64_t>(one.version());
    }
    return 0;
  }
  /// A root with the controller's successor for that role in the place of its key.
  Status rotate(const std::string& role) {
    TRY_VOID(world.data->online_keys.make_next(role));
    const v1::OnlineKeys keys = world.data->online_keys.to_api();
    const ota::PublicKey next =
        World::key_of(role == "snapshot" ? keys.next_snapshot() : keys.next_timestamp());
    ota::Root root = ota::next_root(world.root, world.clock.wall_ms() / 1000);
    const std::string old = root.roles.at(role).keyids.front();
    TRY_VOID(ota::replace_key(root, role, old, &next));
    const ota::SigningKey* const signers[] = {&world.root_key};
    v1::MetadataUpload upload;
    upload.set_role("root");
    upload.set_json(ota::sign(root, signers));
    TRY_VOID(world.upload(upload));
    world.root = root;
    return {};
  }
  std::filesystem::path file(const std::string& name) {
    return std::filesystem::path(world.directory / "controller") / name;
  }
};

TEST_F(OnlineKeysTest, AControllerLeftAloneStaysValidForLongerThanItsSignatures) {
  Client client(world);
  const auto days = 3 * ota::kSnapshotLifetime_s / ota::kDay_s;
  for (std::int64_t hour = 0; hour < days * 24; ++hour) {
    world.clock.advance(kHourMs);
    ASSERT_TRUE(world.metadata->renew().has_value());
    const Status fresh = client.refresh();
    ASSERT_TRUE(fresh.has_value()) << "hour " << hour << ": " << fresh.error().what;
  }
  const auto roles = world.metadata->expiries();
  for (const v1::RoleExpiry& role : *roles) {
    EXPECT_FALSE(role.needs_care()) << role.role();
  }
}

TEST_F(OnlineKeysTest, AfterALongStopTheFirstRenewalMendsAll) {
  Client client(world);
  ASSERT_TRUE(client.refresh().has_value());
  world.clock.advance(40 * 24 * kHourMs);
  EXPECT_EQ(client.refresh().error().code, Code::expired);
  world.restart();
  const auto renewed = world.metadata->renew();
  ASSERT_TRUE(renewed.has_value());
  EXPECT_TRUE(*renewed);
  EXPECT_TRUE(client.refresh().has_value());
}

TEST_F(OnlineKeysTest, AFullDiskLeavesTheOldSetWholeAndIsTriedAgain) {
  Client client(world);
  ASSERT_TRUE(client.refresh().has_value());
  soci::session& sql = world.store->session().sql;
  long long pages = 0;
  sql << "PRAGMA page_count", soci::into(pages);
  sql << "PRAGMA max_page_count = " + std::to_string(pages);
  // Where the next file would go, so that none of it finds room.
  std::int64_t ballast = 0;
  while (world.store->add_metadata("root", --ballast, std::string(100, 'x'))) {
    ASSERT_GT(ballast, -100'000) << "the disk is never full";
  }
  world.clock.advance(5 * 24 * kHourMs);  // both are due
  const auto timestamp = version("timestamp");
  const auto snapshot = version("snapshot");
  for (int i = 0; i < 3; ++i) {
    const auto renewed = world.metadata->renew();
    ASSERT_FALSE(renewed.has_value());
    EXPECT_EQ(renewed.error().code, Code::no_space) << renewed.error().what;
    EXPECT_EQ(version("timestamp"), timestamp);
    EXPECT_EQ(version("snapshot"), snapshot);
  }
  // What is served fits together: only its date is over.
  EXPECT_EQ(client.refresh().error().code, Code::expired);
  sql << "PRAGMA max_page_count = 100000";
  ASSERT_TRUE(world.metadata->renew().has_value());
  EXPECT_GT(version("snapshot"), snapshot);
  EXPECT_TRUE(client.refresh().has_value());
}

TEST_F(OnlineKeysTest, ASuccessorSignsAsSoonAsARootNamesIt) {
  Client client(world);
  ASSERT_TRUE(client.refresh().has_value());
  for (const char* role : {"timestamp", "snapshot"}) {
    const std::string before = world.data->online_keys.to_api().SerializeAsString();
    const Status rotated = rotate(role);
    ASSERT_TRUE(rotated.has_value()) << rotated.error().what;
    EXPECT_NE(world.data->online_keys.to_api().SerializeAsString(), before);
    EXPECT_FALSE(std::filesystem::exists(file(std::string(role) + ".next.key")));
    const Status followed = client.refresh();
    ASSERT_TRUE(followed.has_value()) << followed.error().what;
    world.clock.advance(5 * 24 * kHourMs);
    ASSERT_TRUE(world.metadata->renew().has_value());
    EXPECT_TRUE(client.refresh().has_value());
  }
}

TEST_F(OnlineKeysTest, ACeremonyThatIsBegunAgainFindsTheSameSuccessor) {
  OnlineKeys& keys = world.data->online_keys;
  ASSERT_TRUE(keys.make_next("timestamp").has_value());
  const std::string made = keys.to_api().next_timestamp();
  EXPECT_NE(made, keys.to_api().timestamp());
  ASSERT_TRUE(keys.make_next("timestamp").has_value());
  EXPECT_EQ(keys.to_api().next_timestamp(), made);
  world.restart();
  EXPECT_EQ(world.data->online_keys.to_api().next_timestamp(), made);
  // Until the root is there, the old key signs on.
  world.clock.advance(24 * kHourMs);
  EXPECT_TRUE(world.metadata->renew().has_value());
  EXPECT_EQ(world.data->online_keys.make_next("targets").error().code, Code::bad_argument);
}

TEST_F(OnlineKeysTest, AStopBetweenTheRootAndTheKeysFilesLosesNothing) {
  Client client(world);
  ASSERT_TRUE(world.data->online_keys.make_next("timestamp").has_value());
  std::filesystem::copy(file("timestamp.key"), file("before"));
  std::filesystem::copy(file("timestamp.next.key"), file("next"));
  ASSERT_TRUE(rotate("timestamp").has_value());
  const std::string now = world.data->online_keys.to_api().timestamp();
  struct Cut {
    const char* current;
    bool next;
  };
  // The power went after the root's commit: before the successor took the key's name, or before its
  // own was gone.
  for (const Cut& cut : {Cut{"before", true}, Cut{"next", true}, Cut{"next", false}}) {
    std::filesystem::copy(file(cut.current), file("timestamp.key"),
                          std::filesystem::copy_options::overwrite_existing);
    if (cut.next) {
      std::filesystem::copy(file("next"), file("timestamp.next.key"),
                            std::filesystem::copy_options::overwrite_existing);
    }
    world.restart();
    world.clock.advance(13 * kHourMs);
    const auto renewed = world.metadata->renew();
    ASSERT_TRUE(renewed.has_value()) << renewed.error().what;
    EXPECT_TRUE(client.refresh().has_value());
    EXPECT_EQ(world.data->online_keys.to_api().timestamp(), now);
    EXPECT_EQ(world.data->online_keys.to_api().next_timestamp(), "");
  }
}

// TUF 1.0 section 5.3.11: versions that a thief of the online keys drove to the end are forgotten
// with the keys.
TEST_F(OnlineKeysTest, ARotationRecoversFromAFastForward) {
  Client client(world);
  ASSERT_TRUE(client.refresh().has_value());
  const std::int64_t now = world.clock.wall_ms() / 1000;
  const auto stolen = [&](const char* name) {
    std::ifstream in(file(name));
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    auto key = ota::SigningKey::open(text, ota::Secret());
    FLEET_ASSERT(key.has_value());
    return std::move(*key);
  };
  const ota::SigningKey snapshot_key = stolen("snapshot.key");
  const ota::SigningKey timestamp_key = stolen("timestamp.key");
  const ota::SigningKey* const by_snapshot[] = {&snapshot_key};
  const ota::SigningKey* const by_timestamp[] = {&timestamp_key};
  // What the thief serves once, in the name of the controller.
  constexpr std::int64_t kFar = std::int64_t{1} << 62;
  auto snapshot = ota::parse_snapshot(**world.store->metadata("snapshot"))->value;
  snapshot.header.version = kFar;
  snapshot.meta.at("targets.json").version = kFar;
  const std::string snapshot_bytes = ota::sign(snapshot, by_snapshot);
  auto timestamp = ota::make_timestamp(1, ota::describe(snapshot_bytes, kFar), now);
  timestamp.header.version = kFar;
  ASSERT_TRUE(client.store().write("snapshot.json", snapshot_bytes).has_value());
  ASSERT_TRUE(
      client.store().write("timestamp.json", ota::sign(timestamp, by_timestamp)).has_value());
  EXPECT_EQ(client.refresh().error().code, Code::rollback) << "the true one is older now";
  ASSERT_TRUE(rotate("timestamp").has_value());
  EXPECT_EQ(client.refresh().error().code, Code::rollback) << "the snapshot is still believed";
  ASSERT_TRUE(rotate("snapshot").has_value());
  const Status recovered = client.refresh();
  EXPECT_TRUE(recovered.has_value()) << recovered.error().what;
}

struct AppKeyTest : OnlineKeysTest {
  AppKeyTest() { EXPECT_TRUE(push().has_value()); }
  Result<rollout::Rollout> push() {
    if (!enrolled_) world.enroll("edge-1");
    enrolled_ = true;
    return world.push(world.next_push("edge", "image " + std::to_string(++pushes_)));
  }
  v1::MetadataUpload targets_for(const ota::SigningKey& app_key) {
    ota::Targets next = ota::next_targets(world.targets, world.clock.wall_ms() / 1000);
    FLEET_ASSERT(ota::delegate_app(next, "dns", app_key.public_key()).has_value());
    const ota::SigningKey* const signers[] = {&world.targets_key};
    v1::MetadataUpload upload;
    upload.set_role("targets");
    upload.set_json(ota::sign(next, signers));
    return upload;
  }

 private:
  bool enrolled_ = false;
  int pushes_ = 0;
};

TEST_F(AppKeyTest, ItsRotationBringsTheRoleSignedAgain) {
  Client client(world);
  const auto next_key = ota::SigningKey::generate();
  v1::MetadataUpload upload = targets_for(next_key);
  const Status alone = world.upload(upload);
  ASSERT_FALSE(alone.has_value()) << "nobody could read the app's role";
  EXPECT_EQ(alone.error().code, Code::bad_signature);
  EXPECT_NE(alone.error().what.find("send it along"), std::string::npos) << alone.error().what;

  const ota::Targets again =
      *ota::edit_app_role(*world.role, "dns", {}, world.clock.wall_ms() / 1000);
  const ota::SigningKey* const signers[] = {&next_key};
  v1::MetadataUpload& along = *upload.add_together();
  along.set_role("apps.dns");
  along.set_json(ota::sign(again, signers));
  const Status taken = world.upload(upload);
  ASSERT_TRUE(taken.has_value()) << taken.error().what;
  EXPECT_TRUE(client.refresh().has_value());
  world.role = again;

  const auto by_old = push();
  ASSERT_FALSE(by_old.has_value()) << "the old key signs nothing more";
  EXPECT_EQ(by_old.error().code, Code::bad_signature);
  world.role = again;
  world.app_key = ota::SigningKey::generate();
  EXPECT_FALSE(push().has_value());
}

}  // namespace
}  // namespace controller
