// A controller as one file, and back: whole, its owner's alone, and nothing half-done.
#include "controller/backup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "controller/store_archive.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

namespace fs = std::filesystem;
using proto::Code;

struct BackupTest : ::testing::Test {
  World world;
  const std::string data = world.directory / "controller";
  const std::string file = world.directory / "fleet.backup";
  const std::string back = world.directory / "back";

  BackupTest() {
    world.set_up_trust();
    world.enroll("edge-1");
    world.online("edge-1");
    EXPECT_TRUE(world.push(world.next_push("edge")).has_value());
    EXPECT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  }
  Status back_up() { return controller::back_up(data, file, world.clock.wall_ms()); }
  // What is beside the file that the test asked for: nothing, ever.
  void expect_no_leftovers() {
    for (const auto& entry : fs::directory_iterator(world.directory.path())) {
      const std::string name = entry.path().filename();
      EXPECT_TRUE(name == "controller" || name == "fleet.backup" || name == "back") << name;
    }
  }
  Code refused() {
    const Status restored = restore(file, back);
    return restored ? Code::unset : restored.error().code;
  }
};

TEST_F(BackupTest, ARunningControllerComesBackWholeAndItsOwnersAlone) {
  const Status made = back_up();
  ASSERT_TRUE(made.has_value()) << made.error().what;
  struct stat facts {};
  ASSERT_EQ(::stat(file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u) << "it holds keys";
  expect_no_leftovers();
  const std::int64_t generation = world.generation("edge-1");
  world.stop();
  const Status restored = restore(file, back);
  ASSERT_TRUE(restored.has_value()) << restored.error().what;
  ASSERT_EQ(::stat(back.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
  for (const auto& entry : fs::recursive_directory_iterator(back)) {
    const auto mode = entry.status().permissions() & fs::perms::mask;
    EXPECT_EQ(mode & (fs::perms::group_all | fs::perms::others_all), fs::perms::none)
        << entry.path();
  }
  fs::remove_all(data);
  fs::rename(back, data);
  world.start();
  EXPECT_EQ(world.generation("edge-1"), generation);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_TRUE(world.blobs->has({ota::sha256("image"), 5}));
  EXPECT_TRUE(world.push(world.next_push("edge", "image 2")).has_value()) << "its keys are there";
}

TEST_F(BackupTest, NothingThatIsThereIsWrittenOver) {
  ASSERT_TRUE(back_up().has_value());
  EXPECT_EQ(back_up().error().code, Code::already_exists);
  fs::create_directory(back);
  std::ofstream(back + "/mine") << "mine";
  EXPECT_EQ(refused(), Code::already_exists);
  EXPECT_TRUE(fs::exists(back + "/mine"));
  EXPECT_EQ(controller::back_up(back, file + ".2", 0).error().code, Code::not_found);
  expect_no_leftovers();
}

TEST_F(BackupTest, WhatIsNoBackupIsRefusedAndLeavesNothing) {
  std::ofstream(file) << "no archive";
  EXPECT_EQ(refused(), Code::bad_argument);
  fs::remove(file);
  ASSERT_TRUE(back_up().has_value());
  const auto size = fs::file_size(file);
  fs::resize_file(file, size / 2);
  EXPECT_NE(refused(), Code::unset) << "cut in the middle";
  EXPECT_FALSE(fs::exists(back));
  fs::remove(file);
  EXPECT_NE(refused(), Code::unset) << "not there";
  EXPECT_FALSE(fs::exists(file)) << "and not made by looking";
  EXPECT_FALSE(fs::exists(back));
}

TEST_F(BackupTest, NamesThatLeadElsewhereAreRefused) {
  for (const char* name : {"../outside", "/etc/passwd", "blobs/../../outside", "x/y", ".hidden",
                           "blobs/", "a b"}) {
    std::ofstream(file).close();
    const auto archive = Archive::create(file);
    ASSERT_TRUE(archive.has_value());
    for (const char* each : {"controller.db", name, "host-name"}) {
      ASSERT_TRUE((*archive)->add(each, "x", 0).has_value());
    }
    ASSERT_TRUE((*archive)->commit().has_value());
    EXPECT_EQ(refused(), Code::bad_argument) << name;
    EXPECT_FALSE(fs::exists(world.directory / "outside")) << name;
    EXPECT_FALSE(fs::exists(back)) << name;
    fs::remove(file);
  }
}

TEST_F(BackupTest, AnArchiveWithoutAControllerIsRefused) {
  std::ofstream(file).close();
  const auto archive = Archive::create(file);
  ASSERT_TRUE((*archive)->add("ca.pem", "x", 0).has_value());
  ASSERT_TRUE((*archive)->commit().has_value());
  EXPECT_EQ(refused(), Code::bad_argument);
  EXPECT_FALSE(fs::exists(back));
}

}  // namespace
}  // namespace controller
