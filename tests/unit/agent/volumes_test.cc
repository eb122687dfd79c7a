// Volumes on a device: made with all their room, locked, grown, never shrunk; the same after an
// update and a revert, and after a kill at each step of making and removing them.
#include "agent/volumes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>

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

fleet::v1::Volume& add_volume(AppManifest& to, const std::string& name, std::uint64_t size_bytes) {
  fleet::v1::Volume& volume = *to.add_volumes();
  volume.set_name(name);
  volume.set_size_bytes(size_bytes);
  volume.set_sync("periodic");
  volume.set_keep(true);
  volume.set_on_revert("keep");
  return volume;
}

class VolumesTest : public testing::Test {
 protected:
  VolumesTest() { add_volume(manifest, "cache", kSize); }

  std::string path(const std::string& name) { return directory / ("volumes/dns/" + name); }

  TempDir directory;
  std::unique_ptr<ota::RealDisk> disk = ota::RealDisk::open(directory.path()).value();
  agent::Volumes volumes{*disk};
  AppManifest manifest = make_manifest("dns", 1);
};

TEST_F(VolumesTest, ANewVolumeIsOfZerosWithAllItsRoomAndTheAgentsAlone) {
  EXPECT_EQ(volumes.missing_bytes(manifest, nullptr).value(), kSize);
  const auto made = volumes.make(manifest);
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(*made, std::vector<std::string>{"cache"});
  struct stat facts {};
  ASSERT_EQ(::stat(path("cache").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_size, static_cast<off_t>(kSize));
  EXPECT_GE(facts.st_blocks * 512, facts.st_size) << "its room is not reserved";
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(volumes.missing_bytes(manifest, nullptr).value(), 0u);
  EXPECT_TRUE(volumes.make(manifest)->empty()) << "made twice";
}

TEST_F(VolumesTest, OnlyAlwaysIsOpenedWithODsync) {
  add_volume(manifest, "log", kSize).set_sync("always");
  add_volume(manifest, "tmp", kSize).set_sync("never");
  for (const bool by_descriptor : {true, false}) {
    auto opened = volumes.open(manifest, by_descriptor);
    ASSERT_TRUE(opened) << opened.error().what;
    ASSERT_EQ(opened->volumes.size(), 3u);
    for (const monitors::Volume& one : opened->volumes) {
      const int flags = ::fcntl(one.file.get(), F_GETFL);
      EXPECT_EQ(flags & O_ACCMODE, O_RDWR) << one.name;
      EXPECT_EQ((flags & O_DSYNC) != 0, by_descriptor && one.name == "log") << one.name;
    }
    EXPECT_EQ(opened->volumes[1].sync, monitors::Sync::always);
    EXPECT_EQ(opened->volumes[2].sync, monitors::Sync::never);
  }
  EXPECT_EQ(agent::periodic_files(manifest), std::vector<std::string>{"volumes/dns/cache"});
}

TEST_F(VolumesTest, AVolumeHasOneWriterUntilItsLastDescriptorIsClosed) {
  auto first = volumes.open(manifest, true);
  ASSERT_TRUE(first) << first.error().what;
  ota::Fd guests(::fcntl(first->volumes[0].file.get(), F_DUPFD_CLOEXEC, 0));
  first->volumes.clear();  // as the agent's own goes after the start
  auto second = volumes.open(manifest, true);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  EXPECT_NE(second.error().what.find("volume cache of dns is in use"), std::string::npos);
  guests.close();
  EXPECT_TRUE(volumes.open(manifest, true));
}

TEST_F(VolumesTest, ALargerSizeGrowsAndKeepsWhatIsThere) {
  ASSERT_TRUE(volumes.make(manifest));
  std::ofstream(path("cache"), std::ios::in | std::ios::out) << "kept";
  AppManifest larger = manifest;
  larger.mutable_volumes(0)->set_size_bytes(4 * kSize);
  EXPECT_EQ(volumes.missing_bytes(larger, &manifest).value(), 3 * kSize);
  ASSERT_TRUE(volumes.make(larger));
  EXPECT_EQ(fs::file_size(path("cache")), 4 * kSize);
  std::string text(4, ' ');
  std::ifstream(path("cache")).read(text.data(), 4);
  EXPECT_EQ(text, "kept");
  // The old release takes the longer file as it is, also in a new push; no other may be shorter.
  EXPECT_TRUE(volumes.open(manifest, true));
  EXPECT_TRUE(volumes.missing_bytes(manifest, &manifest));
  const auto refused = volumes.missing_bytes(manifest, &larger);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_NE(refused.error().what.find("what lies behind would be lost; write size: 256K"),
            std::string::npos)
      << refused.error().what;
  EXPECT_FALSE(volumes.missing_bytes(manifest, nullptr)) << "a kept one is not cut either";
}

TEST_F(VolumesTest, WhatACutLeftShortIsGrownAgain) {
  fs::create_directories(directory / "volumes/dns");
  for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{4096}}) {
    std::ofstream(path("cache")) << std::string(left, '\0');
    ASSERT_TRUE(volumes.make(manifest));
    EXPECT_EQ(fs::file_size(path("cache")), kSize);
    fs::remove(path("cache"));
  }
}

TEST_F(VolumesTest, LinksAndOtherThingsInItsPlaceAreRefused) {
  ASSERT_TRUE(volumes.make(manifest));
  const std::string outside = directory / "secret";
  std::ofstream(outside) << "secret";
  fs::remove(path("cache"));
  fs::create_symlink(outside, path("cache"));
  EXPECT_FALSE(volumes.open(manifest, true));
  EXPECT_EQ(fs::file_size(outside), 6u);
  fs::remove(path("cache"));
  fs::create_directory(path("cache"));
  EXPECT_FALSE(volumes.open(manifest, true));
  fs::remove_all(directory / "volumes/dns");
  fs::create_directory_symlink(directory.path(), directory / "volumes/dns");
  EXPECT_FALSE(volumes.open(manifest, true));
}

TEST_F(VolumesTest, NoRoomLeavesNothing) {
  add_volume(manifest, "huge", std::uint64_t{1} << 55);
  const auto made = volumes.make(manifest);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("volume huge"), std::string::npos) << made.error().what;
  EXPECT_TRUE(fs::is_empty(directory / "volumes/dns"));
}

TEST_F(VolumesTest, OnlyNamedVolumesAreRemoved) {
  add_volume(manifest, "log", kSize);
  ASSERT_TRUE(volumes.make(manifest));
  ASSERT_TRUE(volumes.remove("dns", {"log", "no-such"}));
  EXPECT_TRUE(fs::exists(path("cache")));
  EXPECT_FALSE(fs::exists(path("log")));
  EXPECT_TRUE(volumes.remove("other", {"log"}));
  EXPECT_TRUE(volumes.sync({"volumes/dns/cache", "volumes/dns/log", "volumes/other/log"}));
}

// --- with the agent

class DeviceVolumesTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  static AppManifest release(std::uint64_t number, std::uint64_t size_bytes = kSize) {
    AppManifest out = make_manifest("dns", number);
    add_volume(out, "cache", size_bytes);
    add_volume(out, "scratch", kSize).set_keep(false);
    return out;
  }
  void add(const AppManifest& manifest) {
    repository.add(manifest, "image " + std::to_string(manifest.release()));
  }
  fleet::v1::Report verdict(TestDevice& of, const fleet::v1::DesiredApp& wish) {
    of.want(wish);
    EXPECT_TRUE(of.run_until([&] { return of.ended(wish.attempt()); }, 300'000));
    return of.last(wish.attempt());
  }
  fleet::v1::Report push(const AppManifest& manifest, const std::string& attempt) {
    add(manifest);
    return verdict(device, TestDevice::wish("dns", manifest.release(), attempt));
  }
  static fleet::v1::DesiredApp removal(const std::string& attempt) {
    fleet::v1::DesiredApp out = TestDevice::wish("dns", 1, attempt);
    out.set_run(fleet::v1::REMOVE);
    return out;
  }
  static fs::path file(const TestDevice& of, const std::string& name) {
    return of.directory / "volumes/dns" / name;
  }
  static void write(const fs::path& path, const std::string& text) {
    std::ofstream(path, std::ios::in | std::ios::out) << text;
  }
  static std::string read(const fs::path& path) {
    std::string text(4, ' ');
    std::ifstream(path).read(text.data(), 4);
    return text;
  }

  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(DeviceVolumesTest, AnUpdateAndARevertKeepWhatWasWritten) {
  ASSERT_EQ(push(release(1), "a1").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(fs::file_size(file(device, "cache")), kSize);
  write(file(device, "cache"), "data");
  device.launcher.calls.clear();
  ASSERT_EQ(push(release(2), "a2").state(), fleet::v1::HEALTHY);
  const auto& calls = device.launcher.calls;
  const auto at = [&calls](const char* what) {
    return std::find(calls.begin(), calls.end(), what) - calls.begin();
  };
  EXPECT_LT(at("stop 1"), at("start 2")) << "two at once on one volume";
  device.scripts[3].answers_after_ms = -1;
  EXPECT_EQ(push(release(3, 2 * kSize), "a3").state(), fleet::v1::REVERTED);
  ASSERT_TRUE(device.run_until([&] { return device.launcher.serves(); }));
  EXPECT_EQ(read(file(device, "cache")), "data");
  EXPECT_EQ(fs::file_size(file(device, "cache")), 2 * kSize) << "grown is grown";
  EXPECT_EQ(push(release(4), "a4").state(), fleet::v1::HEALTHY) << "as long as the live one says";
}

TEST_F(DeviceVolumesTest, GoingBackByOrderNeverHasTwoWriters) {
  ASSERT_EQ(push(release(1), "a1").state(), fleet::v1::HEALTHY);
  ASSERT_EQ(push(release(2), "a2").state(), fleet::v1::HEALTHY);
  device.launcher.calls.clear();
  fleet::v1::DesiredApp back = TestDevice::wish("dns", 1, "b1");
  back.set_fall_back(1);
  EXPECT_EQ(verdict(device, back).state(), fleet::v1::HEALTHY);
  ASSERT_GE(device.launcher.calls.size(), 2u);
  const auto& calls = device.launcher.calls;
  EXPECT_LT(std::find(calls.begin(), calls.end(), "stop 2"),
            std::find(calls.begin(), calls.end(), "start 1"));
}

TEST_F(DeviceVolumesTest, TooLittleDiskAndASmallerSizeAreRefusedBeforeAnythingChanges) {
  device.disk->free_as_told = ota::kDiskReserveBytes + kSize;
  auto report = push(release(1), "a1");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_SPACE);
  EXPECT_NE(report.why().text().find("for its volumes"), std::string::npos) << report.why().text();
  EXPECT_FALSE(fs::exists(device.directory / "volumes"));
  EXPECT_EQ(device.wire.blob_bytes, 0u);
  device.disk->free_as_told.reset();
  ASSERT_EQ(push(release(2, 2 * kSize), "a2").state(), fleet::v1::HEALTHY);
  report = push(release(3), "a3");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_CONFLICT);
  EXPECT_EQ(device.live_release("dns"), 2u);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(DeviceVolumesTest, ADeleteLeavesWhatIsToBeKeptAndTheNextInstallFindsIt) {
  ASSERT_EQ(push(release(1), "a1").state(), fleet::v1::HEALTHY);
  write(file(device, "cache"), "kept");
  write(file(device, "scratch"), "gone");
  EXPECT_EQ(verdict(device, removal("d1")).state(), fleet::v1::REMOVED);
  EXPECT_TRUE(fs::exists(file(device, "cache")));
  EXPECT_FALSE(fs::exists(file(device, "scratch")));
  const auto left = [this] {
    std::string out;
    for (const fleet::v1::AppStatus& app : device.agent->apps()) {
      for (const auto& one : app.volumes()) out += one.name() + (one.left() ? " left " : " ");
    }
    return out;
  };
  EXPECT_TRUE(device.run_until([&] { return left() == "cache left "; })) << left();
  ASSERT_EQ(push(release(2), "a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(read(file(device, "cache")), "kept");
  EXPECT_EQ(read(file(device, "scratch")), std::string(4, '\0'));
  EXPECT_TRUE(device.run_until([&] { return left() == "cache scratch "; })) << left();
}

/// Worlds as a kill leaves them, taken around every change to a volume and to the launcher.
struct Cuts {
  Cuts(TestDevice& device, Repository& repository) {
    const auto take = [this, &device, &repository] {
      if (copying) return;
      copying = true;
      worlds.push_back(std::make_unique<TestDevice>(device, repository));
      copying = false;
    };
    device.disk->on_change = take;
    device.launcher.on_change = take;
  }
  std::vector<std::unique_ptr<TestDevice>> worlds;
  bool copying = false;
};

TEST_F(DeviceVolumesTest, AKillAtEachStepOfMakingEndsWithTheReleaseAndItsVolumes) {
  add(release(1));
  device.want(TestDevice::wish("dns", 1, "a1"));
  Cuts cuts(device, repository);
  ASSERT_TRUE(device.run_until([&] { return device.ended("a1"); }));
  device.disk->on_change = nullptr;
  device.launcher.on_change = nullptr;
  device.stop();
  ASSERT_GE(cuts.worlds.size(), 12u) << "two folders, two volumes, the start";
  for (std::size_t i = 0; i < cuts.worlds.size(); ++i) {
    SCOPED_TRACE("cut " + std::to_string(i));
    TestDevice& world = *cuts.worlds[i];
    world.start();
    ASSERT_TRUE(world.run_until([&] { return world.ended("a1"); }, 300'000));
    EXPECT_EQ(world.last("a1").state(), fleet::v1::HEALTHY) << world.last("a1").why().text();
    EXPECT_EQ(fs::file_size(file(world, "cache")), kSize);
    EXPECT_EQ(fs::file_size(file(world, "scratch")), kSize);
    world.stop();
    cuts.worlds[i].reset();
  }
}

TEST_F(DeviceVolumesTest, AKillAtEachStepOfDeletingEndsWithoutTheAppAndWithWhatIsKept) {
  ASSERT_EQ(push(release(1), "a1").state(), fleet::v1::HEALTHY);
  write(file(device, "cache"), "kept");
  device.want(removal("d1"));
  Cuts cuts(device, repository);
  ASSERT_TRUE(device.run_until([&] { return device.ended("d1"); }));
  device.disk->on_change = nullptr;
  device.launcher.on_change = nullptr;
  device.stop();
  ASSERT_GE(cuts.worlds.size(), 4u) << "the stop, the removal";
  for (std::size_t i = 0; i < cuts.worlds.size(); ++i) {
    SCOPED_TRACE("cut " + std::to_string(i));
    TestDevice& world = *cuts.worlds[i];
    world.start();
    ASSERT_TRUE(world.run_until([&] { return world.ended("d1"); }, 300'000));
    EXPECT_EQ(world.last("d1").state(), fleet::v1::REMOVED);
    EXPECT_FALSE(fs::exists(file(world, "scratch")));
    EXPECT_EQ(read(file(world, "cache")), "kept");
    world.stop();
    cuts.worlds[i].reset();
  }
}

}  // namespace
