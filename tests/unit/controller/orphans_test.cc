// Uploads whose push never came: kept for a day, then removed; what a release consists of stays.
#include "controller/orphans.h"

#include <gtest/gtest.h>

#include <cstring>
#include <span>

#include "ota/hash.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

struct OrphansTest : ::testing::Test {
  OrphansTest() {
    world.set_up_trust();
    world.enroll("edge-1");
  }
  std::uint64_t look_after(std::int64_t ms) {
    world.clock.advance(ms);
    const auto freed = orphans.look();
    EXPECT_TRUE(freed.has_value());
    return freed ? *freed : 0;
  }
  std::size_t held() { return world.blobs->files()->size(); }
  static ota::BlobRef ref_of(const std::string& text) { return {ota::sha256(text), text.size()}; }

  World world;
  Orphans orphans{*world.store, *world.blobs, world.clock};
};

TEST_F(OrphansTest, WhatNoReleaseConsistsOfGoesAfterADay) {
  const auto pushed = world.push(world.next_push("edge", "the image that was pushed"));
  ASSERT_TRUE(pushed.has_value()) << pushed.error().what;
  const std::size_t released = held();
  const v1::PushRequest late = world.next_push("edge", "the image of a push that never came");
  EXPECT_EQ(held(), released + 2) << "an image and a manifest";
  EXPECT_EQ(look_after(0), 0u);
  EXPECT_EQ(look_after(kOrphansKeptMs - 1), 0u);
  EXPECT_EQ(held(), released + 2);
  EXPECT_GT(look_after(1), 0u);
  EXPECT_EQ(held(), released);
  EXPECT_TRUE(world.blobs->has(ref_of("the image that was pushed")));

  const auto refused = world.push(late);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, proto::Code::not_found);
  EXPECT_EQ(look_after(kOrphansKeptMs), 0u);
}

TEST_F(OrphansTest, APushThatComesLateFindsItsBytes) {
  const v1::PushRequest late = world.next_push("edge", "an image");
  EXPECT_EQ(look_after(0), 0u);
  EXPECT_EQ(look_after(kOrphansKeptMs - 1), 0u);
  const auto pushed = world.push(late);
  ASSERT_TRUE(pushed.has_value()) << pushed.error().what;
  EXPECT_EQ(look_after(kOrphansKeptMs), 0u);
  EXPECT_TRUE(world.blobs->has(ref_of("an image")));
}

TEST_F(OrphansTest, AnUploadThatGoesOnIsLeftAlone) {
  const ota::BlobRef slow = ref_of("slowly");
  const auto add = [&](const char* text) {
    return world.blobs->begin(slow)->append(std::as_bytes(std::span(text, std::strlen(text))));
  };
  ASSERT_TRUE(add("slo"));
  EXPECT_EQ(look_after(0), 0u);
  ASSERT_TRUE(add("w"));
  EXPECT_EQ(look_after(kOrphansKeptMs), 0u);
  EXPECT_EQ(look_after(kOrphansKeptMs), 4u);
  EXPECT_EQ(world.blobs->partial_bytes(slow), 0u);
}

}  // namespace
}  // namespace controller
