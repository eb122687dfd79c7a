// A yank at the controller: stored and published at once, told to the devices that it concerns, and
// final.
#include <gtest/gtest.h>

#include "tests/unit/controller/world.h"

namespace controller {
namespace {

using proto::Code;

struct YankTest : ::testing::Test {
  World world;
  YankTest() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2"}) {
      world.enroll(name);
      world.online(name);
    }
  }
  /// Pushes the next release to everybody; it runs everywhere.
  void release_everywhere() {
    const std::string image = "image " + std::to_string(++releases);
    const auto begun = world.push(world.next_push("edge", image));
    ASSERT_TRUE(begun.has_value()) << begun.error().what;
    for (const char* name : {"edge-1", "edge-2"}) {
      ASSERT_TRUE(world.report(name, v1::HEALTHY, releases).has_value());
    }
  }
  v1::MetadataUpload signed_role(const ota::Targets& role, const ota::SigningKey& key) {
    const ota::SigningKey* const keys[] = {&key};
    v1::MetadataUpload upload;
    upload.set_role("apps.dns");
    upload.set_json(ota::sign(role, keys));
    return upload;
  }
  ota::Targets yanked_role(std::int64_t number) {
    const std::int64_t numbers[] = {number};
    return *ota::edit_app_role(*world.role, "dns", numbers, world.clock.wall_ms() / 1000);
  }
  void yank(std::int64_t number) {
    const ota::Targets next = yanked_role(number);
    const Status taken = world.upload(signed_role(next, world.app_key));
    ASSERT_TRUE(taken.has_value()) << taken.error().what;
    world.role = next;
  }
  Result<rollout::Rollout> stop(std::uint64_t release) {
    v1::OrderRequest request;
    request.set_app("dns");
    request.set_selector("all");
    request.set_kind(v1::ORDER_STOP);
    request.set_release(release);
    return world.pushes->accept_order(request, "ana", world.nearest);
  }

  std::uint64_t releases = 0;
};

TEST_F(YankTest, IsPublishedAndToldToTheDevicesThatHaveTheApp) {
  release_everywhere();
  world.enroll("web-1", "web");
  const auto before = world.generation("edge-1");
  const auto others = world.generation("web-1");
  std::vector<std::string> told;
  world.fleet->desired_changed = [&](const std::string& id) { told.push_back(id); };
  const std::uint64_t news = *newest_news(*world.store);
  yank(1);
  EXPECT_TRUE(*is_yanked(*world.store, "dns", 1));
  EXPECT_EQ(world.generation("edge-1"), before + 1);
  EXPECT_EQ(world.generation("web-1"), others) << "it does not have the app";
  EXPECT_EQ(told.size(), 2u);
  const auto desired = world.fleet->desired_of(world.id_of("edge-1"));
  EXPECT_NE(desired->metadata_news(), news);
  // What is wanted stays: where it runs it runs on.
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_EQ(world.wish("edge-1")->run(), v1::RUN);
  world.restart();
  EXPECT_EQ(world.fleet->desired_of(world.id_of("edge-1"))->metadata_news(),
            desired->metadata_news());
}

TEST_F(YankTest, IsForEver) {
  release_everywhere();
  const ota::Targets before = *world.role;
  yank(1);
  ota::Targets back = before;
  back.header.version = world.role->header.version + 1;
  const Status taken = world.upload(signed_role(back, world.app_key));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Code::rollback) << taken.error().what;
  EXPECT_TRUE(*is_yanked(*world.store, "dns", 1));
}

TEST_F(YankTest, ByAnotherKeyIsRefused) {
  release_everywhere();
  const auto stranger = ota::SigningKey::generate();
  const Status taken = world.upload(signed_role(yanked_role(1), stranger));
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Code::bad_signature);
  EXPECT_FALSE(*is_yanked(*world.store, "dns", 1));
}

TEST_F(YankTest, ARoleThatComesByItselfBringsNoRelease) {
  release_everywhere();
  const v1::PushRequest next = world.next_push("edge", "another image");
  v1::MetadataUpload upload;
  upload.set_role("apps.dns");
  upload.set_json(next.app_metadata());
  const Status taken = world.upload(upload);
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, Code::bad_argument) << taken.error().what;
}

TEST_F(YankTest, APushOfItsContentUnderANewNumberIsRefused) {
  release_everywhere();
  yank(1);
  const auto again = world.push(world.next_push("edge", "image 1"));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::yanked) << again.error().what;
  EXPECT_NE(again.error().what.find("dns 1 was yanked"), std::string::npos);
  EXPECT_FALSE((*world.store->release("dns", 2)).has_value());
}

TEST_F(YankTest, AYankAndAPushThatRaceBothEndWell) {
  release_everywhere();
  const ota::Targets before = *world.role;
  // Both were signed on top of the same version; the yank came first.
  const v1::PushRequest push = world.next_push("edge", "image 2");
  world.role = before;
  yank(1);
  const auto late = world.push(push);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::conflict) << late.error().what;
  // Signed again on top of the yank, it keeps it.
  const auto again = world.push(world.next_push("edge", "image 2"));
  ASSERT_TRUE(again.has_value()) << again.error().what;
  EXPECT_TRUE(*is_yanked(*world.store, "dns", 1));
  // And the other way round.
  const ota::Targets newer = *world.role;
  world.role = before;
  const Status stale = world.upload(signed_role(yanked_role(1), world.app_key));
  EXPECT_EQ(stale.error().code, Code::conflict);
  world.role = newer;
  yank(2);
  EXPECT_TRUE(*is_yanked(*world.store, "dns", 2));
}

TEST_F(YankTest, AStopOfAReleaseReachesThoseThatRunItAndAreNotOnTheirWayToANewer) {
  release_everywhere();
  world.enroll("edge-3");
  world.online("edge-3");
  ASSERT_TRUE(world.push(world.next_push("edge-2", "image 2")).has_value());
  yank(1);
  const auto begun = stop(1);
  ASSERT_TRUE(begun.has_value()) << begun.error().what;
  EXPECT_EQ(world.wish("edge-1")->run(), v1::STOP);
  EXPECT_EQ(world.wish("edge-2")->run(), v1::RUN) << "a newer one is on trial there";
  EXPECT_EQ(world.wish("edge-2")->release(), 2u);
  EXPECT_EQ(begun->counts.devices(), 1u);
  ASSERT_TRUE(world.report("edge-1", v1::STOPPED, 1).has_value());
  ASSERT_TRUE(world.report("edge-2", v1::HEALTHY, 2).has_value());
  const auto none = stop(7);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Code::not_found);
}

TEST_F(YankTest, ADeviceThatJoinsGetsTheNewestThatStands) {
  release_everywhere();
  release_everywhere();
  yank(2);
  world.enroll("edge-3");
  EXPECT_EQ(world.wish("edge-3")->release(), 1u);
}

}  // namespace
}  // namespace controller
