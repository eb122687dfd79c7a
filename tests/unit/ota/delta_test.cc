// delta: what is made is told back whole, and a hostile one takes neither memory nor room.
#include "ota/delta.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <zstd.h>

#include <random>
#include <string>

#include "ota/disk.h"
#include "proto/limits.h"

namespace ota {
namespace {

using proto::Code;
using Bytes = std::vector<std::byte>;

// Like machine code: what has no pattern, so that only the base can make it small.
Bytes noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& one : bytes) one = static_cast<std::byte>(random());
  return bytes;
}

Bytes changed(const Bytes& base) {
  Bytes image = base;
  for (std::size_t at = 1000; at < image.size(); at += 20'000) image[at] ^= std::byte{1};
  const Bytes added = noise(500, 7);
  image.insert(image.begin() + 4000, added.begin(), added.end());
  return image;
}

Bytes made(const Bytes& base, const Bytes& image) {
  auto delta = make_delta(base, image, image.size());
  EXPECT_TRUE(delta) << delta.error().what;
  return delta ? *delta : Bytes();
}

Code code_of(const Status& status) { return status ? Code::unset : status.error().code; }

Code apply(const Bytes& base, const Bytes& delta, std::size_t output_bytes) {
  Bytes output(output_bytes);
  return code_of(apply_delta(base, delta, output));
}

Fd memory(const Bytes& bytes) {
  Fd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_TRUE(write_at(file, 0, bytes));
  return file;
}

TEST(Delta, ASmallChangeIsASmallDelta) {
  const Bytes base = noise(120'000, 1);
  const Bytes image = changed(base);
  const Bytes delta = made(base, image);
  EXPECT_LT(delta.size(), image.size() / 50);
  Bytes output(image.size());
  const Status applied = apply_delta(base, delta, output);
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_EQ(output, image);
}

TEST(Delta, FarMovesAreFoundInLargeImages) {
  const Bytes base = noise(9 << 20, 2);
  Bytes image(base.begin() + (5 << 20), base.end());
  image.insert(image.end(), base.begin(), base.begin() + (5 << 20));
  const Bytes delta = made(base, image);
  EXPECT_LT(delta.size(), image.size() / 50);
  Bytes output(image.size());
  ASSERT_TRUE(apply_delta(base, delta, output));
  EXPECT_EQ(output, image);
}

TEST(Delta, FromNothingItIsTheImageCompressed) {
  Bytes image;
  while (image.size() < 100'000) {
    const Bytes part = noise(50, static_cast<unsigned>(image.size() % 7));
    image.insert(image.end(), part.begin(), part.end());
  }
  const Bytes delta = made({}, image);
  EXPECT_LT(delta.size(), image.size() / 50);
  Bytes output(image.size());
  ASSERT_TRUE(apply_delta({}, delta, output));
  EXPECT_EQ(output, image);
  const Fd file = memory({});
  ASSERT_TRUE(apply_delta({Fd(), memory(delta), file, image.size()}));
  EXPECT_EQ(size_of(file).value(), image.size());
}

TEST(Delta, OneThatIsNotWorthItIsNotMade) {
  const Bytes base = noise(10'000, 3);
  const Bytes image = noise(10'000, 4);
  EXPECT_EQ(make_delta(base, image, image.size() / 2).error().code, Code::too_large);
  EXPECT_EQ(make_delta({}, image, 1000).error().code, Code::too_large);
  EXPECT_EQ(make_delta(base, {}, 1000).error().code, Code::bad_argument);
  const Bytes huge(proto::kMaxDeltaImageBytes + 1);
  EXPECT_EQ(make_delta(huge, image, 1000).error().code, Code::too_large);
  EXPECT_EQ(make_delta(base, huge, 1000).error().code, Code::too_large);
}

TEST(Delta, AnyOtherLengthIsRefused) {
  const Bytes base = noise(10'000, 5);
  const Bytes image = changed(base);
  const Bytes delta = made(base, image);
  EXPECT_EQ(apply(base, delta, image.size()), Code::unset);
  EXPECT_EQ(apply(base, delta, image.size() - 1), Code::bad_digest);
  EXPECT_EQ(apply(base, delta, image.size() + 1), Code::bad_digest);
  Bytes longer = delta;
  longer.push_back({});
  EXPECT_EQ(apply(base, longer, image.size()), Code::bad_digest);
  longer = delta;
  longer.insert(longer.end(), delta.begin(), delta.end());
  EXPECT_EQ(apply(base, longer, image.size()), Code::bad_digest) << "two frames";
}

TEST(Delta, CutAnywhereItIsRefused) {
  const Bytes base = noise(3000, 6);
  Bytes image = base;
  image[100] ^= std::byte{1};
  const Bytes delta = made(base, image);
  for (std::size_t size = 0; size < delta.size(); ++size) {
    const Bytes cut(delta.begin(), delta.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(apply(base, cut, image.size()), Code::bad_digest) << size;
  }
}

TEST(Delta, AnotherBaseNeverPassesForTheRightOne) {
  const Bytes base = noise(10'000, 8);
  const Bytes image = changed(base);
  const Bytes delta = made(base, image);
  Bytes output(image.size());
  const Status applied = apply_delta(Bytes(100), delta, output);
  EXPECT_TRUE(!applied || output != image);
  EXPECT_TRUE(!apply_delta({}, delta, output) || output != image);
}

// The header of a frame with one window byte and a content size of eight.
Bytes frame(unsigned char window, std::uint64_t content_bytes) {
  Bytes bytes = {std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f}, std::byte{0xfd},
                 std::byte{0xc0}, std::byte{window}};
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(content_bytes >> (8 * i)));
  return bytes;
}

// A last block that repeats one byte.
void add_run(Bytes& bytes, std::uint32_t count) {
  const std::uint32_t head = count << 3 | 1 << 1 | 1;
  for (int i = 0; i < 3; ++i) bytes.push_back(static_cast<std::byte>(head >> (8 * i)));
  bytes.push_back(std::byte{'x'});
}

TEST(Delta, AFrameThatAsksForAHugeWindowGetsNone) {
  // 2 GiB of window for a thousand bytes: what comes out is right, and nothing was taken for it.
  Bytes wide = frame(21 << 3, 1000);
  add_run(wide, 1000);
  Bytes output(1000);
  const Status applied = apply_delta(Bytes(10), wide, output);
  EXPECT_TRUE(applied) << applied.error().what;
  EXPECT_EQ(output, Bytes(1000, std::byte{'x'}));
  Bytes wider = frame(31 << 3, 1000);  // more than the format has
  add_run(wider, 1000);
  EXPECT_EQ(apply(Bytes(10), wider, 1000), Code::bad_digest);
}

TEST(Delta, AFrameThatTellsOfHugeContentIsRefusedUnread) {
  for (const std::uint64_t content : {std::uint64_t{1001}, std::uint64_t{1} << 62}) {
    Bytes huge = frame(0, content);
    add_run(huge, 1000);
    EXPECT_EQ(apply(Bytes(10), huge, 1000), Code::bad_digest) << content;
  }
  Bytes bomb = frame(0, 1000);  // it says 1,000 and holds 100,000
  add_run(bomb, 100'000);
  EXPECT_EQ(apply(Bytes(10), bomb, 1000), Code::bad_digest);
}

TEST(Delta, OldFormatsAndSkippedFramesAreNone) {
  const Bytes skipped = {std::byte{0x50}, std::byte{0x2a}, std::byte{0x4d}, std::byte{0x18}};
  EXPECT_EQ(apply(Bytes(10), skipped, 10), Code::bad_digest);
  const Bytes zstd_0_7 = {std::byte{0x27}, std::byte{0xb5}, std::byte{0x2f}, std::byte{0xfd}};
  EXPECT_EQ(apply(Bytes(10), zstd_0_7, 10), Code::bad_digest);
}

TEST(Delta, ABrokenOneLeavesAnEmptyFile) {
  const Bytes base = noise(10'000, 9);
  const Bytes image = changed(base);
  Bytes delta = made(base, image);
  const Fd from = memory(base);
  const Fd output = memory({});
  ASSERT_TRUE(apply_delta({from, memory(delta), output, image.size()}));
  Bytes got(image.size());
  ASSERT_EQ(read_at(output, 0, got).value(), image.size());
  EXPECT_EQ(got, image);
  delta.resize(delta.size() / 2);
  EXPECT_EQ(code_of(apply_delta({from, memory(delta), output, image.size()})), Code::bad_digest);
  EXPECT_EQ(size_of(output).value(), 0u);
  EXPECT_EQ(code_of(apply_delta({from, memory({}), output, 10})), Code::bad_argument);
  EXPECT_EQ(code_of(apply_delta({from, from, output, proto::kMaxDeltaImageBytes + 1})),
            Code::too_large);
}

}  // namespace
}  // namespace ota
