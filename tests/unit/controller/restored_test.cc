// A controller that was restored from an older backup, and what operators and devices have seen.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/controller/world.h"

namespace controller {
namespace {

namespace fs = std::filesystem;
using proto::Code;

struct RestoredTest : ::testing::Test {
  World world;
  const fs::path data = world.directory / "controller";
  const fs::path backup = world.directory / "backup";

  // A backup after the first release, and two more releases.
  RestoredTest() {
    world.set_up_trust();
    world.enroll("edge-1");
    world.online("edge-1");
    push();
    world.stop();
    fs::copy(data, backup, fs::copy_options::recursive);
    world.start();
    push();
    push();
  }
  void push() {
    const auto begun =
        world.push(world.next_push("edge", "image " + std::to_string(++releases)));
    ASSERT_TRUE(begun.has_value()) << begun.error().what;
  }
  void restore() {
    world.stop();
    fs::remove_all(data);
    fs::copy(backup, data, fs::copy_options::recursive);
    world.start();
    world.online("edge-1");
  }
  std::int64_t version(const std::string& role) {
    const auto text = world.store->metadata(role);
    return header_of(text->value_or(""))->version;
  }
  Code refused(const v1::MetadataUpload& upload) {
    const Status taken = world.upload(upload);
    return taken ? Code::unset : taken.error().code;
  }

  int releases = 0;
};

TEST_F(RestoredTest, TakesWhatWasSeenAndGoesOnFromThere) {
  const v1::MetadataUpload seen = world.seen();
  const std::int64_t snapshot = version("snapshot");
  const std::int64_t timestamp = version("timestamp");
  restore();
  const auto before = world.role;
  const auto lost = world.push(world.next_push("edge", "image 4"));
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Code::conflict);
  world.role = before;

  const std::int64_t told = world.generation("edge-1");
  ASSERT_EQ(refused(seen), Code::unset);
  EXPECT_EQ(version("apps.dns"), 3);
  EXPECT_GT(version("snapshot"), snapshot);
  EXPECT_GT(version("timestamp"), timestamp);
  EXPECT_GT(world.generation("edge-1"), told) << "devices are to look";
  push();
  EXPECT_EQ(world.wish("edge-1")->release(), 4u);
}

TEST_F(RestoredTest, WhatIsNotAboveOursIsLeftOut) {
  const v1::MetadataUpload seen = world.seen();
  push();
  const std::int64_t timestamp = version("timestamp");
  EXPECT_EQ(refused(seen), Code::unset);
  EXPECT_EQ(version("apps.dns"), 4);
  EXPECT_EQ(version("timestamp"), timestamp) << "nothing was to be published";
}

TEST_F(RestoredTest, OnlyWhatTheRightKeysSignedIsTaken) {
  const ota::SigningKey foreign = ota::SigningKey::generate();
  const ota::SigningKey* const keys[] = {&foreign};
  const v1::MetadataUpload seen = world.seen();
  const auto role = ota::parse_targets(seen.together(0).json());
  const auto snapshot = ota::parse_snapshot(seen.together(1).json());
  const auto timestamp = ota::parse_timestamp(seen.together(2).json());
  const std::string forged[] = {ota::sign(role->value, keys), ota::sign(snapshot->value, keys),
                                ota::sign(timestamp->value, keys)};
  restore();
  for (int i = 0; i < 3; ++i) {
    v1::MetadataUpload upload = seen;
    upload.mutable_together(i)->set_json(forged[i]);
    EXPECT_EQ(refused(upload), Code::bad_signature) << upload.together(i).role();
    upload.mutable_together(i)->set_json("{}");
    EXPECT_EQ(refused(upload), Code::bad_metadata) << upload.together(i).role();
  }
  EXPECT_EQ(version("apps.dns"), 1) << "all or none";
}

TEST_F(RestoredTest, ANumberThatWasUsedAgainMeanwhileIsNotOverwritten) {
  const v1::MetadataUpload seen = world.seen();
  restore();
  // Somebody who had seen nothing signed another 2.
  world.role = ota::parse_targets(**world.store->metadata("apps.dns"))->value;
  const auto begun = world.push(world.next_push("edge", "another image 2"));
  ASSERT_TRUE(begun.has_value()) << begun.error().what;
  EXPECT_EQ(refused(seen), Code::rollback);
}

TEST_F(RestoredTest, AYankThatTheBackupDidNotKnowIsTold) {
  const std::int64_t numbers[] = {1};
  const ota::Targets yanked =
      *ota::edit_app_role(*world.role, "dns", numbers, world.clock.wall_ms() / 1000);
  const ota::SigningKey* const keys[] = {&world.app_key};
  v1::MetadataUpload upload;
  upload.set_role("apps.dns");
  upload.set_json(ota::sign(yanked, keys));
  ASSERT_EQ(refused(upload), Code::unset);
  const v1::MetadataUpload seen = world.seen();
  restore();
  EXPECT_FALSE(*is_yanked(*world.store, "dns", 1));
  ASSERT_EQ(refused(seen), Code::unset);
  EXPECT_TRUE(*is_yanked(*world.store, "dns", 1));
}

TEST_F(RestoredTest, OnlyTargetsBringTheOthers) {
  v1::MetadataUpload upload;
  upload.set_restored(true);
  upload.set_role("apps.dns");
  EXPECT_EQ(refused(upload), Code::bad_argument);
}

}  // namespace
}  // namespace controller
