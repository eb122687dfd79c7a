// Volumes with `on_revert: restore`: copied before a trial, given back by whatever leaves the
// release backwards, and by nothing else; the same after a kill at each step of it.
#include "agent/snapshots.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "agent/volumes.h"
#include "tests/unit/agent/fakes.h"
#include "tests/unit/ota/temp_dir.h"

namespace {

namespace fs = std::filesystem;
using fleet::v1::AppManifest;
using proto::Code;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::uint64_t kSize = 64 * proto::kKiB;

void add_volume(AppManifest& to, const std::string& name, const std::string& on_revert) {
  fleet::v1::Volume& volume = *to.add_volumes();
  volume.set_name(name);
  volume.set_size_bytes(kSize);
  volume.set_sync("periodic");
  volume.set_keep(true);
  volume.set_on_revert(on_revert);
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::in | std::ios::out) << text;
}

std::string read(const fs::path& path) {
  std::string text(4, ' ');
  std::ifstream(path).read(text.data(), 4);
  return text;
}

class SnapshotsTest : public testing::Test {
 protected:
  SnapshotsTest() {
    add_volume(manifest, "data", "restore");
    add_volume(manifest, "log", "keep");
    EXPECT_TRUE(volumes.make(manifest));
    write(path("data"), "old.");
    write(path("log"), "old.");
  }
  fs::path path(const std::string& name) { return directory / ("volumes/dns/" + name); }
  std::size_t files() {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory / "volumes/dns"), {}));
  }

  TempDir directory;
  std::unique_ptr<ota::RealDisk> disk = ota::RealDisk::open(directory.path()).value();
  agent::Volumes volumes{*disk};
  agent::Snapshots snapshots{*disk};
  AppManifest manifest = make_manifest("dns", 1);
  const std::string tag = agent::snapshot_tag("a1");
};

TEST_F(SnapshotsTest, OnlyWhatIsToBeGivenBackIsCopiedAndGivenBack) {
  EXPECT_EQ(agent::Snapshots::bytes_for(manifest), kSize);
  ASSERT_TRUE(snapshots.take(manifest, tag));
  EXPECT_EQ(*snapshots.list("dns"), std::set<std::string>{tag});
  write(path("data"), "new.");
  write(path("log"), "new.");
  ASSERT_TRUE(snapshots.restore("dns", tag));
  EXPECT_EQ(read(path("data")), "old.");
  EXPECT_EQ(read(path("log")), "new.");
  EXPECT_EQ(files(), 2u) << "the copy is gone";
  EXPECT_TRUE(snapshots.list("dns")->empty());
  EXPECT_TRUE(snapshots.list("no-such-app")->empty());
}

TEST_F(SnapshotsTest, ACopyThatIsThereIsNotTakenAgain) {
  ASSERT_TRUE(snapshots.take(manifest, tag));
  write(path("data"), "new.");
  ASSERT_TRUE(snapshots.take(manifest, tag)) << "the second try of the same attempt";
  ASSERT_TRUE(snapshots.restore("dns", tag));
  EXPECT_EQ(read(path("data")), "old.");
}

TEST_F(SnapshotsTest, WhatACutLeftOfACopyIsNone) {
  write(path("data." + tag + ".part"), "");
  std::ofstream(path("data." + tag + ".part")) << "torn";
  EXPECT_TRUE(snapshots.list("dns")->empty());
  EXPECT_EQ(files(), 2u);
  std::ofstream(path("data." + tag + ".part")) << std::string(kSize, 'x');
  ASSERT_TRUE(snapshots.take(manifest, tag));
  ASSERT_TRUE(snapshots.restore("dns", tag));
  EXPECT_EQ(read(path("data")), "old.");
  std::ifstream file(path("data"));
  const std::string all((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(all.find('x'), std::string::npos) << "nothing of the torn one is in it";
}

TEST_F(SnapshotsTest, AVolumeThatAGuestHasIsLeftAlone) {
  const auto guest = volumes.open(manifest, true);
  ASSERT_TRUE(guest);
  EXPECT_EQ(snapshots.take(manifest, tag).error().code, Code::conflict);
  EXPECT_TRUE(snapshots.list("dns")->empty());
}

TEST_F(SnapshotsTest, AVolumeThatGrewKeepsItsSize) {
  ASSERT_TRUE(snapshots.take(manifest, tag));
  AppManifest larger = manifest;
  larger.mutable_volumes(0)->set_size_bytes(4 * kSize);
  ASSERT_TRUE(volumes.make(larger));
  write(path("data"), "new.");
  ASSERT_TRUE(snapshots.restore("dns", tag));
  EXPECT_EQ(fs::file_size(path("data")), 4 * kSize);
  EXPECT_EQ(read(path("data")), "old.");
}

TEST_F(SnapshotsTest, TagsAreFileNamesWhateverTheAttemptIsCalled) {
  for (const char* attempt : {"a1", "../../etc/passwd", "", "a.b/c"}) {
    const std::string made = agent::snapshot_tag(attempt);
    EXPECT_EQ(made.size(), 16u);
    EXPECT_EQ(made.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

TEST_F(SnapshotsTest, VolumesAreMeasuredByWhatWasWritten) {
  const auto measured = volumes.measure("dns", &manifest);
  ASSERT_TRUE(measured) << measured.error().what;
  ASSERT_EQ(measured->size(), 2u);
  EXPECT_EQ(measured->at(0).name(), "data");
  EXPECT_TRUE(measured->at(0).restores());
  EXPECT_TRUE(measured->at(0).keep());
  EXPECT_EQ(measured->at(0).sync(), "periodic");
  EXPECT_EQ(measured->at(0).size_bytes(), kSize);
  EXPECT_GT(measured->at(0).used_bytes(), 0u);
  EXPECT_LE(measured->at(0).used_bytes(), kSize);
  fs::remove(path("log"));
  EXPECT_EQ(volumes.measure("dns", &manifest)->at(1).size_bytes(), 0u) << "one that is not there";
}

// --- with the agent

class DeviceSnapshotsTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  static AppManifest release(std::uint64_t number) {
    AppManifest out = make_manifest("dns", number);
    add_volume(out, "data", "restore");
    out.mutable_update()->set_watch_ms(600'000);
    out.mutable_update()->set_fallback_window_ms(3'600'000);
    return out;
  }
  void want(std::uint64_t number, const std::string& attempt) {
    repository.add(release(number), "image " + std::to_string(number));
    device.want(TestDevice::wish("dns", number, attempt));
  }
  fleet::v1::Report verdict(const std::string& attempt) {
    EXPECT_TRUE(device.run_until([&] { return device.ended(attempt); }, 300'000));
    return device.last(attempt);
  }
  // dns 1 runs and has written; dns 2 is healthy and has written, too.
  void two_releases() {
    want(1, "a1");
    ASSERT_EQ(verdict("a1").state(), fleet::v1::HEALTHY);
    write(data(), "one.");
    want(2, "a2");
    ASSERT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
    EXPECT_EQ(read(data()), "one.") << "an update finds what is there";
    write(data(), "two.");
  }
  void trial_starts(std::uint64_t number) {
    const std::string start = "start " + std::to_string(number);
    ASSERT_TRUE(device.run_until([&] {
      const auto& calls = device.launcher.calls;
      return std::find(calls.begin(), calls.end(), start) != calls.end();
    }, 300'000));
  }
  bool runs(std::uint64_t number) {
    return device.run_until(
        [&] { return device.launcher.serves() && device.live_release("dns") == number; }, 300'000);
  }
  static fs::path data_of(const TestDevice& of) { return of.directory / "volumes/dns/data"; }
  fs::path data() { return data_of(device); }
  static std::size_t copies(const TestDevice& of) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(of.directory / "volumes/dns")) {
      count += entry.path().filename().string().find('.') != std::string::npos ? 1 : 0;
    }
    return count;
  }

  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(DeviceSnapshotsTest, AFailedTrialGivesTheVolumeBack) {
  two_releases();
  device.scripts[3].answers_after_ms = -1;
  want(3, "a3");
  trial_starts(3);
  write(data(), "bad.");
  EXPECT_EQ(verdict("a3").state(), fleet::v1::REVERTED);
  ASSERT_TRUE(runs(2));
  EXPECT_EQ(read(data()), "two.") << "as it was before the trial";
}

TEST_F(DeviceSnapshotsTest, ARevertUnderWatchGivesItBackToo) {
  two_releases();
  device.scripts[3].stops_answering_ms = 20'000;
  want(3, "a3");
  ASSERT_EQ(verdict("a3").state(), fleet::v1::HEALTHY);
  write(data(), "bad.");
  ASSERT_TRUE(runs(2));
  EXPECT_EQ(read(data()), "two.");
}

TEST_F(DeviceSnapshotsTest, AnOrderToGoBackGivesItBackWithinItsWindow) {
  two_releases();
  device.run_for(700'000);  // out of the watch
  EXPECT_EQ(copies(device), 1u) << "it may still be ordered back";
  fleet::v1::DesiredApp back = TestDevice::wish("dns", 1, "b1");
  back.set_fall_back(1);
  device.want(back);
  EXPECT_EQ(verdict("b1").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(read(data()), "one.");
  EXPECT_EQ(copies(device), 0u);
}

TEST_F(DeviceSnapshotsTest, TheCopyGoesWhenNothingCanGoBackToItAnyMore) {
  two_releases();
  device.run_for(3'700'000);
  EXPECT_EQ(copies(device), 0u);
  EXPECT_EQ(read(data()), "two.");
}

TEST_F(DeviceSnapshotsTest, ARestartIsNoRevert) {
  two_releases();
  for (agent::Instance& one : device.guests.instances) {
    one.state = agent::InstanceState::exited;
    one.wait_status = 0;
  }
  ASSERT_TRUE(runs(2));
  EXPECT_EQ(read(data()), "two.");
  device.stop();
  device.start();
  ASSERT_TRUE(runs(2));
  EXPECT_EQ(read(data()), "two.");
  EXPECT_EQ(copies(device), 1u);
}

TEST_F(DeviceSnapshotsTest, NoRoomForTheCopyIsRefusedBeforeAnythingChanges) {
  two_releases();
  device.disk->free_as_told = ota::kDiskReserveBytes + kSize / 2;
  want(3, "a3");
  const fleet::v1::Report report = verdict("a3");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_SPACE);
  EXPECT_EQ(device.live_release("dns"), 2u);
}

TEST_F(DeviceSnapshotsTest, TheControllerIsToldOfTheCopy) {
  two_releases();
  device.run_for(70'000);
  const auto apps = device.agent->apps();
  ASSERT_EQ(apps.size(), 1u);
  ASSERT_EQ(apps[0].volumes_size(), 1);
  EXPECT_EQ(apps[0].volumes(0).name(), "data");
  EXPECT_EQ(apps[0].volumes(0).size_bytes(), kSize);
  EXPECT_EQ(apps[0].volumes(0).snapshot_release(), 2u);
}

/// Worlds as a kill leaves them, taken around every change to a volume and to the launcher.
TEST_F(DeviceSnapshotsTest, AKillAtEachStepEndsWithWhatTheRunningReleaseWrote) {
  two_releases();
  device.scripts[3].answers_after_ms = -1;
  std::vector<std::unique_ptr<TestDevice>> worlds;
  bool copying = false;
  bool spoilt = false;
  const auto take = [&] {
    if (copying) return;
    copying = true;
    worlds.push_back(std::make_unique<TestDevice>(device, repository));
    copying = false;
  };
  want(3, "a3");
  device.disk->on_change = take;
  device.launcher.on_change = [&] {
    const auto& calls = device.launcher.calls;
    if (!spoilt && std::find(calls.begin(), calls.end(), "start 3") != calls.end()) {
      write(data(), "bad.");
      spoilt = true;
    }
    take();
  };
  ASSERT_TRUE(device.run_until([&] { return device.ended("a3"); }, 300'000));
  ASSERT_TRUE(runs(2));
  device.disk->on_change = nullptr;
  device.launcher.on_change = nullptr;
  device.stop();
  ASSERT_TRUE(spoilt);
  ASSERT_GE(worlds.size(), 16u) << "the stop, the copy, the trial, the way back";
  for (std::size_t i = 0; i < worlds.size(); ++i) {
    SCOPED_TRACE("cut " + std::to_string(i));
    TestDevice& world = *worlds[i];
    world.start();
    ASSERT_TRUE(world.run_until([&] { return world.ended("a3"); }, 600'000));
    EXPECT_EQ(world.last("a3").state(), fleet::v1::REVERTED);
    ASSERT_TRUE(world.run_until([&] { return world.launcher.serves(); }, 300'000));
    EXPECT_EQ(world.live_release("dns"), 2u);
    EXPECT_EQ(read(data_of(world)), "two.");
    EXPECT_EQ(copies(world), 0u);
    world.stop();
    worlds[i].reset();
  }
}

}  // namespace
