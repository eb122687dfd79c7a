// The one way from a guest's address to memory: every edge of it.
#include <gtest/gtest.h>

#include <vector>

#include "agent/tenders/guest_memory.h"

namespace {

using tenders::Access;
using tenders::GuestAddress;
using tenders::GuestMemory;

constexpr std::uint64_t kSize = 0x10000;

class GuestMemoryTest : public testing::Test {
 protected:
  bool at(std::uint64_t address, std::uint64_t size, Access access = Access::write) {
    return memory_.at(GuestAddress{address}, size, access, out_);
  }

  std::vector<std::uint8_t> host_ = std::vector<std::uint8_t>(kSize);
  GuestMemory memory_{host_.data(), kSize};
  std::span<std::uint8_t> out_;
};

TEST_F(GuestMemoryTest, InsideIsTranslated) {
  ASSERT_TRUE(at(0x100, 16));
  EXPECT_EQ(out_.data(), host_.data() + 0x100);
  EXPECT_EQ(out_.size(), 16u);
  EXPECT_TRUE(at(0, kSize));
  EXPECT_TRUE(at(kSize - 1, 1));
  EXPECT_TRUE(at(kSize, 0));
}

TEST_F(GuestMemoryTest, OutsideAndOverflowAreRefused) {
  const struct {
    std::uint64_t address;
    std::uint64_t size;
  } cases[] = {{kSize, 1},           {kSize - 1, 2},   {0, kSize + 1},     {kSize + 1, 0},
               {~0ULL, 1},           {~0ULL, ~0ULL},   {~0ULL - 7, 16},    {8, ~0ULL},
               {8, ~0ULL - 7},       {1ULL << 63, 8},  {0x100, 1ULL << 63}, {kSize - 8, 16},
               {kSize / 2, kSize}};
  for (const auto& one : cases) {
    EXPECT_FALSE(at(one.address, one.size)) << one.address << " + " << one.size;
    EXPECT_TRUE(out_.empty());
  }
}

TEST_F(GuestMemoryTest, WhatTheGuestMayNotWriteIsOnlyRead) {
  ASSERT_TRUE(memory_.restrict_range(0x1000, 0x2000, true));
  EXPECT_TRUE(at(0x1000, 0x1000, Access::read));
  EXPECT_FALSE(at(0x1000, 1));
  EXPECT_FALSE(at(0x1fff, 1));
  EXPECT_FALSE(at(0xfff, 2));
  EXPECT_FALSE(at(0x1fff, 2));
  EXPECT_FALSE(at(0, kSize));
  EXPECT_TRUE(at(0xfff, 1));
  EXPECT_TRUE(at(0x2000, 1));
}

TEST_F(GuestMemoryTest, WhatTheGuestMayNotSeeIsNotEvenRead) {
  ASSERT_TRUE(memory_.restrict_range(0, 0x1000, false));
  EXPECT_FALSE(at(0, 1, Access::read));
  EXPECT_FALSE(at(0xfff, 2, Access::read));
  EXPECT_TRUE(at(0x1000, 1, Access::read));
}

TEST_F(GuestMemoryTest, ThereIsAnEndToRanges) {
  int count = 0;
  while (count < 1000 && memory_.restrict_range(0, 1, true)) ++count;
  EXPECT_GE(count, 64);
  EXPECT_LT(count, 1000);
}

}  // namespace
