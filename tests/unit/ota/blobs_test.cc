// Blobs: a name is given only to bytes that were hashed; everything else never happened.
#include "ota/blobs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/ota/temp_dir.h"

namespace ota {
namespace {

using proto::Code;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

BlobRef ref_of(std::string_view text) { return {sha256(text), text.size()}; }

// The real disk, but with as much room as a test says, and syncs that fail when told.
class PoorDisk final : public Disk {
 public:
  explicit PoorDisk(Disk& real) : real_(real) {}

  Result<std::vector<std::byte>> read_file(std::string_view path, std::size_t max) override {
    return real_.read_file(path, max);
  }
  Status replace_file(std::string_view path, std::span<const std::byte> content) override {
    return real_.replace_file(path, content);
  }
  Result<Fd> open_partial(std::string_view path, std::uint64_t) override {
    return real_.open_partial(path, 0);
  }
  Status publish(std::string_view from, const Fd& file, std::string_view to) override {
    if (publish_fails) return Error{Code::io, "syncing: failed", {}};
    return real_.publish(from, file, to);
  }
  Result<Fd> open_sized(std::string_view path, const SizedOptions& options) override {
    return real_.open_sized(path, options);
  }
  Result<Fd> open_file(std::string_view path) override { return real_.open_file(path); }
  Status remove(std::string_view path) override { return real_.remove(path); }
  Result<std::vector<DiskEntry>> list(std::string_view path) override { return real_.list(path); }
  Result<std::uint64_t> free_bytes() override { return free; }
  Status make_directory(std::string_view path) override { return real_.make_directory(path); }

  std::uint64_t free = 1'000'000;
  bool publish_fails = false;

 private:
  Disk& real_;
};

class BlobsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(blobs_.prepare()); }
  bool is_there(const std::string& path) { return std::filesystem::exists(directory_ / path); }

  TempDir directory_;
  std::unique_ptr<RealDisk> real_ = RealDisk::open(directory_.path()).value();
  PoorDisk disk_{*real_};
  Blobs blobs_{disk_, 1000};
  const std::string content_ = "the bytes of an image";
  const BlobRef blob_ = ref_of(content_);
};

TEST_F(BlobsTest, BytesGetTheirNameWhenAllAreThere) {
  auto partial = blobs_.begin(blob_);
  ASSERT_TRUE(partial);
  ASSERT_TRUE(partial->append(bytes_of(content_.substr(0, 5))));
  EXPECT_FALSE(blobs_.has(blob_));
  ASSERT_TRUE(partial->append(bytes_of(content_.substr(5))));
  ASSERT_TRUE(blobs_.finish(std::move(*partial)));
  EXPECT_TRUE(blobs_.has(blob_));
  EXPECT_FALSE(blobs_.has({blob_.digest, blob_.size_bytes + 1}));
  EXPECT_EQ(blobs_.begin(blob_).error().code, Code::already_exists);
  EXPECT_EQ(blobs_.read_verified(blob_, 100).value().size(), content_.size());
  EXPECT_EQ(blobs_.read_verified(blob_, 20).error().code, Code::too_large);
}

TEST_F(BlobsTest, ACutPartialGoesOnWhereItEnded) {
  {
    auto partial = blobs_.begin(blob_);
    ASSERT_TRUE(partial->append(bytes_of(content_.substr(0, 9))));
  }
  auto partial = blobs_.begin(blob_);
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->offset_bytes(), 9u);
  ASSERT_TRUE(partial->append(bytes_of(content_.substr(9))));
  EXPECT_TRUE(blobs_.finish(std::move(*partial)));
}

TEST_F(BlobsTest, BytesCutShortAtAnyPointAreNeverPublished) {
  for (std::size_t length = 0; length < content_.size(); ++length) {
    auto partial = blobs_.begin(blob_);
    ASSERT_TRUE(partial) << length;
    EXPECT_EQ(partial->offset_bytes(), 0u);
    ASSERT_TRUE(partial->append(bytes_of(content_.substr(0, length))));
    EXPECT_EQ(blobs_.finish(std::move(*partial)).error().code, Code::bad_digest) << length;
    EXPECT_FALSE(blobs_.has(blob_));
    EXPECT_FALSE(is_there("partial/" + blob_.digest.hex())) << "the partial is erased";
  }
}

TEST_F(BlobsTest, OneFlippedBitAnywhereIsNeverPublished) {
  for (std::size_t at = 0; at < content_.size(); ++at) {
    std::string flipped = content_;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    auto partial = blobs_.begin(blob_);
    ASSERT_TRUE(partial);
    ASSERT_TRUE(partial->append(bytes_of(flipped)));
    EXPECT_EQ(blobs_.finish(std::move(*partial)).error().code, Code::bad_digest) << at;
    EXPECT_FALSE(blobs_.has(blob_));
  }
}

TEST_F(BlobsTest, MoreBytesThanSignedAreNotTaken) {
  auto partial = blobs_.begin(blob_);
  EXPECT_EQ(partial->append(bytes_of(content_ + "!")).error().code, Code::bad_digest);
  EXPECT_EQ(partial->offset_bytes(), 0u);
  ASSERT_TRUE(write_at(partial->file(), 0, bytes_of(content_ + "!")));  // a writer of its own
  EXPECT_EQ(blobs_.finish(std::move(*partial)).error().code, Code::bad_digest);
  EXPECT_FALSE(blobs_.has(blob_));
}

TEST_F(BlobsTest, APartialLongerThanSignedStartsAnew) {
  std::ofstream(directory_ / ("partial/" + blob_.digest.hex())) << content_ << "and more";
  auto partial = blobs_.begin(blob_);
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->offset_bytes(), 0u);
  EXPECT_EQ(size_of(partial->file()).value(), 0u);
}

TEST_F(BlobsTest, RoomIsAskedForBeforeTheFirstByte) {
  disk_.free = 1000 + content_.size() - 1;
  auto refused = blobs_.begin(blob_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::no_space);
  EXPECT_NE(refused.error().what.find("needs 21 bytes and 1000 in reserve, 1020 are free"),
            std::string::npos)
      << refused.error().what;
  EXPECT_FALSE(is_there("partial/" + blob_.digest.hex())) << "nothing was written";
  disk_.free = 1000 + content_.size();
  EXPECT_TRUE(blobs_.begin(blob_));
  disk_.free = 0;
  EXPECT_EQ(blobs_.begin(blob_).error().code, Code::no_space);
}

TEST_F(BlobsTest, OnlyTheMissingBytesNeedRoom) {
  {
    auto partial = blobs_.begin(blob_);
    ASSERT_TRUE(partial->append(bytes_of(content_.substr(0, 20))));
  }
  disk_.free = 1001;
  auto partial = blobs_.begin(blob_);
  ASSERT_TRUE(partial);
  disk_.free = 1000;
  EXPECT_EQ(blobs_.begin(blob_).error().code, Code::no_space);
  EXPECT_TRUE(is_there("partial/" + blob_.digest.hex())) << "what came is kept";
}

TEST_F(BlobsTest, ABlobBeyondTheLimitIsTooLarge) {
  EXPECT_EQ(blobs_.begin({blob_.digest, proto::kMaxImageBytes + 1}).error().code, Code::too_large);
}

TEST_F(BlobsTest, AFailedSyncLosesTheBytes) {
  disk_.publish_fails = true;
  auto partial = blobs_.begin(blob_);
  ASSERT_TRUE(partial->append(bytes_of(content_)));
  EXPECT_EQ(blobs_.finish(std::move(*partial)).error().code, Code::io);
  EXPECT_FALSE(blobs_.has(blob_));
  EXPECT_FALSE(is_there("partial/" + blob_.digest.hex()));
  disk_.publish_fails = false;
  EXPECT_TRUE(blobs_.put(blob_, bytes_of(content_)));
}

TEST_F(BlobsTest, BytesThatRotOnTheDiskAreFoundAndRemoved) {
  ASSERT_TRUE(blobs_.put(blob_, bytes_of(content_)));
  ASSERT_TRUE(blobs_.put(blob_, bytes_of(content_))) << "twice is once";
  ASSERT_TRUE(blobs_.open_verified(blob_));
  const std::string path = directory_ / ("blobs/" + blob_.digest.hex());
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  {
    std::fstream file(path, std::ios::in | std::ios::out);
    file.seekp(3);
    file.put('X');
  }
  EXPECT_TRUE(blobs_.open(blob_.digest)) << "open does not hash";
  EXPECT_EQ(blobs_.open_verified(blob_).error().code, Code::bad_digest);
  EXPECT_EQ(blobs_.open_verified(blob_).error().code, Code::not_found);
}

TEST_F(BlobsTest, ThePassedDescriptorIsReadOnly) {
  ASSERT_TRUE(blobs_.put(blob_, bytes_of(content_)));
  auto file = blobs_.open_verified(blob_);
  ASSERT_TRUE(file);
  EXPECT_FALSE(write_at(*file, 0, bytes_of("x")));
}

TEST_F(BlobsTest, WhatNobodyPinsIsCollected) {
  const BlobRef other = ref_of("other");
  const BlobRef coming = ref_of("coming");
  const BlobRef stale = ref_of("stale");
  ASSERT_TRUE(blobs_.put(blob_, bytes_of(content_)));
  ASSERT_TRUE(blobs_.put(other, bytes_of("other")));
  ASSERT_TRUE(blobs_.begin(coming)->append(bytes_of("com")));
  ASSERT_TRUE(blobs_.begin(stale)->append(bytes_of("sta")));
  const std::vector<BlobRef> pinned = {blob_, coming};
  EXPECT_EQ(blobs_.remove_unpinned(pinned).value(), 8u);
  EXPECT_TRUE(blobs_.has(blob_));
  EXPECT_FALSE(blobs_.has(other));
  EXPECT_EQ(blobs_.begin(coming)->offset_bytes(), 3u);
  EXPECT_EQ(blobs_.begin(stale)->offset_bytes(), 0u);
  EXPECT_EQ(blobs_.remove_unpinned({}).value(), content_.size() + 3);
}

TEST_F(BlobsTest, WhatIsMadeHereLeavesAloneWhatWasFetched) {
  ASSERT_TRUE(blobs_.begin(blob_)->append(bytes_of(content_.substr(0, 9))));
  EXPECT_EQ(blobs_.partial_bytes(blob_), 9u);
  auto made = blobs_.begin_made(blob_);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->offset_bytes(), 0u);
  ASSERT_TRUE(made->append(bytes_of("something else")));
  EXPECT_EQ(blobs_.finish(std::move(*made)).error().code, Code::bad_digest);
  EXPECT_EQ(blobs_.partial_bytes(blob_), 9u);
  // Cut by a power cut, it begins again at its first byte.
  ASSERT_TRUE(blobs_.begin_made(blob_)->append(bytes_of(content_)));
  made = blobs_.begin_made(blob_);
  EXPECT_EQ(made->offset_bytes(), 0u);
  ASSERT_TRUE(blobs_.discard(std::move(*made)));
  EXPECT_FALSE(is_there("partial/" + blob_.digest.hex() + ".made"));

  made = blobs_.begin_made(blob_);
  ASSERT_TRUE(made->append(bytes_of(content_)));
  const std::vector<BlobRef> pinned = {blob_};
  EXPECT_EQ(blobs_.remove_unpinned(pinned).value(), 0u) << "both are on their way";
  ASSERT_TRUE(blobs_.finish(std::move(*made)));
  EXPECT_TRUE(blobs_.has(blob_));
  EXPECT_EQ(blobs_.begin_made(blob_).error().code, Code::already_exists);
  EXPECT_EQ(blobs_.remove_unpinned(pinned).value(), 9u) << "the partial is an orphan now";
  EXPECT_EQ(blobs_.partial_bytes(blob_), 0u);
  ASSERT_TRUE(blobs_.remove_unpinned({}));
  ASSERT_TRUE(blobs_.begin_made(blob_)->append(bytes_of(content_)));
  EXPECT_EQ(blobs_.remove_unpinned({}).value(), content_.size());
}

TEST_F(BlobsTest, AnEmptyBlobIsABlob) {
  const BlobRef empty = ref_of("");
  ASSERT_TRUE(blobs_.put(empty, {}));
  EXPECT_TRUE(blobs_.has(empty));
}

}  // namespace
}  // namespace ota
