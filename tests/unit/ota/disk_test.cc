// RealDisk: paths that stay inside, files that appear whole, errors with their code.
#include "ota/disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/unit/ota/temp_dir.h"

namespace ota {
namespace {

using proto::Code;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class DiskTest : public ::testing::Test {
 protected:
  std::string read(std::string_view path) {
    auto bytes = disk_->read_file(path, 1000);
    if (!bytes) return std::string("error ") + proto::name_of(bytes.error().code);
    return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }

  TempDir directory_;
  std::unique_ptr<RealDisk> disk_ = RealDisk::open(directory_.path()).value();
};

TEST_F(DiskTest, PathsThatLeaveTheRootAreRefused) {
  for (const std::string& path :
       {std::string(""), std::string("/etc/passwd"), std::string("../x"), std::string("a/../b"),
        std::string("a//b"), std::string("a/"), std::string("."), std::string("a/./b"),
        std::string("a\0b", 3), std::string(201, 'a'), std::string(2000, 'a')}) {
    EXPECT_EQ(disk_->read_file(path, 10).error().code, Code::bad_argument) << path;
    EXPECT_EQ(disk_->replace_file(path, {}).error().code, Code::bad_argument) << path;
    EXPECT_EQ(disk_->open_partial(path, 0).error().code, Code::bad_argument) << path;
    EXPECT_EQ(disk_->open_sized(path, {1, false}).error().code, Code::bad_argument) << path;
    EXPECT_EQ(disk_->open_file(path).error().code, Code::bad_argument) << path;
    EXPECT_EQ(disk_->remove(path).error().code, Code::bad_argument) << path;
    if (!path.empty()) {  // "" lists the root
      EXPECT_EQ(disk_->list(path).error().code, Code::bad_argument) << path;
    }
    EXPECT_EQ(disk_->make_directory(path).error().code, Code::bad_argument) << path;
  }
}

TEST_F(DiskTest, ASizedFileIsMadeAndGrownByZerosAndNeverShrunk) {
  for (const bool through : {false, true}) {
    const auto file = disk_->open_sized("volume", {8192, through});
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ(::fcntl(file->get(), F_GETFL) & (O_ACCMODE | O_DSYNC),
              O_RDWR | (through ? O_DSYNC : 0));
    EXPECT_EQ(size_of(*file).value(), 8192u);
  }
  ASSERT_TRUE(write_at(disk_->open_sized("volume", {1, false}).value(), 8191, bytes_of("x")));
  const auto grown = disk_->open_sized("volume", {16384, false});
  ASSERT_TRUE(grown) << grown.error().what;
  std::vector<std::byte> bytes(8193);
  EXPECT_EQ(read_at(*grown, 8191, bytes).value(), 8193u);
  EXPECT_EQ(bytes[0], std::byte{'x'});
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0}), 8192);
}

TEST_F(DiskTest, ASizedFileWithoutRoomIsAsItWas) {
  ASSERT_TRUE(disk_->open_sized("old", {4096, false}));
  for (const char* name : {"old", "new"}) {
    EXPECT_FALSE(disk_->open_sized(name, {std::uint64_t{1} << 55, false})) << name;
  }
  EXPECT_EQ(std::filesystem::file_size(directory_ / "old"), 4096u);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "new"));
}

TEST_F(DiskTest, SymbolicLinksAreNotFollowed) {
  TempDir outside;
  std::ofstream(outside / "secret") << "secret";
  std::filesystem::create_symlink(outside / "secret", directory_ / "link");
  std::filesystem::create_directory_symlink(outside.path(), directory_ / "way");
  EXPECT_EQ(read("link"), "error io");
  EXPECT_EQ(read("way/secret"), "error io");
  EXPECT_FALSE(disk_->open_partial("link", 0));
  EXPECT_FALSE(disk_->replace_file("way/secret", bytes_of("x")));
  EXPECT_FALSE(disk_->list("way"));
  EXPECT_FALSE(disk_->make_directory("way"));
  EXPECT_TRUE(disk_->list("way").error().code != Code::unset);
  ASSERT_TRUE(disk_->replace_file("link", bytes_of("mine")));  // the link goes, its target stays
  std::ifstream kept(outside / "secret");
  std::string text;
  kept >> text;
  EXPECT_EQ(text, "secret");
  EXPECT_EQ(read("link"), "mine");
}

TEST_F(DiskTest, WhatIsNoRegularFileIsNotOpened) {
  ASSERT_TRUE(disk_->make_directory("d"));
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read("d"), "error io");
  EXPECT_EQ(read("pipe"), "error io");
  EXPECT_FALSE(disk_->list("pipe"));
}

TEST_F(DiskTest, ReplaceLeavesOnlyTheNewFile) {
  ASSERT_TRUE(disk_->make_directory("d"));
  ASSERT_TRUE(disk_->make_directory("d"));
  ASSERT_TRUE(disk_->replace_file("d/f", bytes_of("one")));
  ASSERT_TRUE(disk_->replace_file("d/f", bytes_of("second")));
  EXPECT_EQ(read("d/f"), "second");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_ / "d"), {}), 1);
  struct stat facts = {};
  ASSERT_EQ(::stat((directory_ / "d/f").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST_F(DiskTest, WhatACrashLeftOfAReplaceIsHiddenAndThrownAway) {
  std::ofstream(directory_ / ".f.new") << "half of a long text";
  ASSERT_TRUE(disk_->make_directory("d"));
  EXPECT_EQ(read("f"), "error not_found");
  ASSERT_TRUE(disk_->replace_file("f", bytes_of("x")));
  EXPECT_EQ(read("f"), "x");
  EXPECT_FALSE(std::filesystem::exists(directory_ / ".f.new"));
}

TEST_F(DiskTest, TwoWhoReplaceTheSameFileDoNotDisturbEachOther) {
  const auto other = RealDisk::open(directory_.path()).value();  // as another process has it
  const auto replace = [](RealDisk& disk, std::string_view content) {
    for (int i = 0; i < 200; ++i) {
      const auto done = disk.replace_file("file", bytes_of(content));
      ASSERT_TRUE(done.has_value()) << done.error().what;
    }
  };
  std::thread second([&] { replace(*other, "second"); });
  replace(*disk_, "first");
  second.join();
  EXPECT_TRUE(read("file") == "first" || read("file") == "second");
}

TEST_F(DiskTest, AFileLongerThanAskedForIsTooLarge) {
  ASSERT_TRUE(disk_->replace_file("f", bytes_of("12345")));
  EXPECT_TRUE(disk_->read_file("f", 5));
  EXPECT_EQ(disk_->read_file("f", 4).error().code, Code::too_large);
}

TEST_F(DiskTest, APartialKeepsItsBytesAndIsPublishedReadOnly) {
  for (const char* name : {"partial", "blobs"}) ASSERT_TRUE(disk_->make_directory(name));
  {
    auto file = disk_->open_partial("partial/x", 4096);
    ASSERT_TRUE(file);
    EXPECT_EQ(size_of(*file).value(), 0u) << "reserving does not change the size";
    ASSERT_TRUE(write_at(*file, 0, bytes_of("abc")));
  }
  auto file = disk_->open_partial("partial/x", 0);
  ASSERT_TRUE(file);
  EXPECT_EQ(size_of(*file).value(), 3u);
  ASSERT_TRUE(write_at(*file, 3, bytes_of("def")));
  ASSERT_TRUE(disk_->publish("partial/x", *file, "blobs/x"));
  EXPECT_EQ(read("blobs/x"), "abcdef");
  EXPECT_EQ(read("partial/x"), "error not_found");
  struct stat facts = {};
  ASSERT_EQ(::stat((directory_ / "blobs/x").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0444u);
}

TEST_F(DiskTest, APartialThatWasSealedByACutPublishIsWritableAgain) {
  ASSERT_TRUE(disk_->open_partial("p", 0));
  std::filesystem::permissions(directory_ / "p", std::filesystem::perms(0444));
  ASSERT_TRUE(disk_->open_partial("p", 0));
  EXPECT_EQ(std::filesystem::status(directory_ / "p").permissions(), std::filesystem::perms(0600));
}

TEST_F(DiskTest, RemovingAndListing) {
  ASSERT_TRUE(disk_->make_directory("d"));
  ASSERT_TRUE(disk_->make_directory("d/sub"));
  ASSERT_TRUE(disk_->replace_file("d/b", bytes_of("22")));
  ASSERT_TRUE(disk_->replace_file("d/a", bytes_of("1")));
  const auto entries = disk_->list("d").value();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_EQ(entries[1].name, "b");
  EXPECT_EQ(entries[1].size_bytes, 2u);
  EXPECT_TRUE(disk_->remove("d/a"));
  EXPECT_TRUE(disk_->remove("d/a")) << "twice is once";
  EXPECT_EQ(disk_->list("d").value().size(), 1u);
  EXPECT_EQ(disk_->list("nowhere").error().code, Code::not_found);
}

TEST_F(DiskTest, ReservingMoreThanThereIsSaysNoSpace) {
  const std::uint64_t free_bytes = disk_->free_bytes().value();
  EXPECT_GT(free_bytes, 0u);
  auto file = disk_->open_partial("huge", free_bytes + (std::uint64_t{1} << 30));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::no_space) << file.error().what;
}

TEST_F(DiskTest, ErrnosHaveTheirCodes) {
  EXPECT_EQ(errno_error("x", ENOSPC).code, Code::no_space);
  EXPECT_EQ(errno_error("x", EDQUOT).code, Code::no_space);
  EXPECT_EQ(errno_error("x", ENOENT).code, Code::not_found);
  EXPECT_EQ(errno_error("x", EIO).code, Code::io);
  EXPECT_EQ(RealDisk::open("/nonexistent").error().code, Code::not_found);
  EXPECT_EQ(RealDisk::open("/dev/null").error().code, Code::io);
}

TEST_F(DiskTest, AFullDeviceIsNoSpace) {
  const Fd full(::open("/dev/full", O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(full);
  EXPECT_EQ(write_at(full, 0, bytes_of("x")).error().code, Code::no_space);
}

}  // namespace
}  // namespace ota
