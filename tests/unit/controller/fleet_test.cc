#include "controller/fleet.h"

#include "tests/unit/controller/world.h"

namespace controller {
namespace {

struct FleetTest : ::testing::Test {
  World world;
  FleetTest() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2"}) {
      world.enroll(name);
      world.online(name);
    }
  }
  std::int64_t push(const std::string& selector = "edge") {
    const auto begun = world.push(world.next_push(selector));
    EXPECT_TRUE(begun.has_value()) << (begun ? "" : begun.error().what);
    for (const char* name : {"edge-1", "edge-2"}) {  // as their sessions do after the commit
      const std::string id = world.id_of(name);
      if (!world.fleet->is_online(id)) continue;
      EXPECT_TRUE(world.fleet->desired_sent(id).has_value());
    }
    return begun ? begun->number : 0;
  }
  void all_healthy(std::uint64_t release) {
    for (const char* name : {"edge-1", "edge-2"}) {
      ASSERT_TRUE(world.report(name, v1::HEALTHY, release).has_value());
    }
  }
};

TEST_F(FleetTest, WantsAReleaseOnceItsRolloutSucceeded) {
  const std::int64_t number = push();
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 0u);
  all_healthy(1);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 1u);
}

TEST_F(FleetTest, DoesNotWantAReleaseThatFailedAndAsksForWhatRuns) {
  push();
  all_healthy(1);
  const std::int64_t number = push();
  EXPECT_EQ(world.rollout(number).previous_release, 1u);
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 1).has_value());
  ASSERT_TRUE(world.report("edge-2", v1::HEALTHY, 2).has_value());
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 1u);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u) << "nobody tries dns 2 again";
  EXPECT_EQ(world.wish("edge-1")->rollout(), "");
  EXPECT_EQ(world.wish("edge-2")->release(), 2u);
}

TEST_F(FleetTest, AFirstInstallThatFailsLeavesNothingWanted) {
  push();
  const std::int64_t generation = world.generation("edge-1");
  ASSERT_TRUE(world.report("edge-1", v1::FAILED, 0).has_value());
  EXPECT_FALSE(world.wish("edge-1").has_value());
  EXPECT_GT(world.generation("edge-1"), generation);
}

TEST_F(FleetTest, ARepeatedReportIsTakenOnce) {
  const std::int64_t number = push();
  const std::string attempt = world.wish("edge-1")->attempt();
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 0).has_value());
  DeviceReport old;
  old.device_id = world.id_of("edge-1");
  old.report.set_sequence(1);
  old.report.set_attempt(attempt);
  old.report.set_release(1);
  old.report.set_state(v1::HEALTHY);
  const DeviceReport reports[] = {old};
  ASSERT_TRUE(world.fleet->take_reports(reports).has_value());
  EXPECT_EQ(world.state(number, "edge-1"), v1::REVERTED);
}

TEST_F(FleetTest, WhoIsOfflineGetsASuccessOnReturn) {
  world.offline("edge-2");
  const std::int64_t number = push();
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  world.online("edge-2");
  EXPECT_EQ(world.state(number, "edge-2"), v1::OFFERED);
  ASSERT_TRUE(world.report("edge-2", v1::HEALTHY, 1).has_value());
  EXPECT_EQ(world.rollout(number).counts.healthy(), 2u);
}

TEST_F(FleetTest, WhoIsOfflineDoesNotGetAFailureOnReturn) {
  push();
  all_healthy(1);
  world.offline("edge-2");
  const std::int64_t number = push();
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 1).has_value());
  ASSERT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(world.wish("edge-2")->release(), 1u);
  world.online("edge-2");
  EXPECT_EQ(world.state(number, "edge-2"), v1::WAITING);
  EXPECT_EQ(world.wish("edge-2")->release(), 1u);
}

TEST_F(FleetTest, ALaterPushSupersedesAnEarlierOne) {
  const std::int64_t first = push();
  const std::int64_t second = push("edge-1");
  EXPECT_EQ(world.state(first, "edge-1"), v1::SUPERSEDED);
  EXPECT_EQ(world.state(first, "edge-2"), v1::OFFERED);
  EXPECT_EQ(world.wish("edge-1")->release(), 2u);
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 2).has_value());
  EXPECT_EQ(world.rollout(second).state, v1::ROLLOUT_SUCCEEDED);
  ASSERT_TRUE(world.report("edge-2", v1::HEALTHY, 1).has_value());
  EXPECT_EQ(world.rollout(first).state, v1::ROLLOUT_SUPERSEDED);
}

TEST_F(FleetTest, GoesOnAfterARestartOfTheController) {
  const std::int64_t number = push();
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  world.restart();
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_RUNNING);
  EXPECT_FALSE((*world.store->rollout_device(number, world.id_of("edge-2")))->row.online());
  world.online("edge-2");
  ASSERT_TRUE(world.report("edge-2", v1::HEALTHY, 1).has_value());
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
}

TEST_F(FleetTest, TheDeadlineOfADeviceIsJudgedByTick) {
  const std::int64_t number = push();
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  world.clock.advance(rollout::kDeviceDeadline_ms);
  ASSERT_TRUE(world.fleet->tick().has_value());
  EXPECT_EQ(world.state(number, "edge-2"), v1::FAILED);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
}

TEST_F(FleetTest, NobodyOnlineEndsTheRolloutAndTakesItBack) {
  world.offline("edge-1");
  world.offline("edge-2");
  const std::int64_t number = push();
  world.clock.advance(rollout::kDeviceDeadline_ms);
  ASSERT_TRUE(world.fleet->tick().has_value());
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
  EXPECT_FALSE(world.wish("edge-1").has_value());
}

TEST_F(FleetTest, CalledOffWantsWhatWasWantedBefore) {
  push();
  all_healthy(1);
  const std::int64_t number = push();
  const std::int64_t generation = world.generation("edge-1");
  const auto ended = world.fleet->abort(number, "ana");
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->state, v1::ROLLOUT_ABORTED);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_GT(world.generation("edge-1"), generation);
  const auto again = world.fleet->abort(number, "ana");
  ASSERT_TRUE(again.has_value()) << "said again, it changes nothing";
  EXPECT_EQ(again->verdict, ended->verdict);
  EXPECT_EQ(world.fleet->abort(99, "ana").error().code, proto::Code::not_found);
}

TEST_F(FleetTest, ADeviceThatEnrolsGetsWhatSucceeded) {
  push();
  all_healthy(1);
  world.enroll("edge-3");
  EXPECT_EQ(world.wish("edge-3")->release(), 1u);
  world.enroll("lab-1", "lab");
  EXPECT_FALSE(world.wish("lab-1").has_value()) << "the selector is edge";
}

TEST_F(FleetTest, ADeviceThatEnrolsAfterAFailureGetsTheGoodOne) {
  push();
  all_healthy(1);
  push();
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 1).has_value());
  ASSERT_TRUE(world.report("edge-2", v1::REVERTED, 1).has_value());
  world.enroll("edge-3");
  EXPECT_EQ(world.wish("edge-3")->release(), 1u);
}

TEST_F(FleetTest, ADeviceThatEnrolsAfterADeleteGetsNothing) {
  push();
  all_healthy(1);
  ASSERT_TRUE(world.order(v1::ORDER_DELETE, "edge").has_value());
  for (const char* name : {"edge-1", "edge-2"}) {
    ASSERT_TRUE(world.report(name, v1::REMOVED, 0).has_value());
  }
  world.enroll("edge-3");
  EXPECT_FALSE(world.wish("edge-3").has_value());
}

TEST_F(FleetTest, OrdersAreWishesOfTheirKind) {
  push();
  all_healthy(1);
  const auto stop = world.order(v1::ORDER_STOP, "edge-1");
  ASSERT_TRUE(stop.has_value());
  EXPECT_EQ(world.wish("edge-1")->run(), v1::STOP);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  ASSERT_TRUE(world.report("edge-1", v1::STOPPED, 1).has_value());
  EXPECT_EQ(world.rollout(stop->number).state, v1::ROLLOUT_SUCCEEDED);
  ASSERT_TRUE(world.order(v1::ORDER_START, "edge-1").has_value());
  EXPECT_EQ(world.wish("edge-1")->run(), v1::RUN);
  ASSERT_TRUE(world.order(v1::ORDER_DELETE, "edge-1").has_value());
  EXPECT_EQ(world.wish("edge-1")->run(), v1::REMOVE);
}

TEST_F(FleetTest, EachRestartRaisesTheCountAlsoAfterAnotherPush) {
  push();
  all_healthy(1);
  std::uint32_t last = 0;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(world.order(v1::ORDER_RESTART, "edge-1").has_value());
    EXPECT_GT(world.wish("edge-1")->restart_count(), last);
    EXPECT_GE(world.wish("edge-1")->restart_count(), world.clock.wall_ms() / 1000)
        << "above what a controller counted that an old backup forgot";
    last = world.wish("edge-1")->restart_count();
    ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, world.wish("edge-1")->release()).has_value());
    push();
    EXPECT_EQ(world.wish("edge-1")->restart_count(), last) << "a push is no restart";
  }
}

// After a rollout was called off the device shall do what it did before; it may not be able to.
TEST_F(FleetTest, AWishOfNoRolloutThatEndsBadlyIsNotWantedForEver) {
  push();
  all_healthy(1);
  const std::int64_t second = push();
  ASSERT_TRUE(world.fleet->abort(second, "ana").has_value());
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_EQ(world.wish("edge-1")->rollout(), "");
  ASSERT_TRUE(world.report("edge-1", v1::FAILED, 2).has_value());
  EXPECT_EQ(world.wish("edge-1")->release(), 2u) << "what runs there";
  ASSERT_TRUE(world.report("edge-1", v1::FAILED, 0).has_value());
  EXPECT_FALSE(world.wish("edge-1").has_value()) << "nothing runs there";
}

TEST_F(FleetTest, AnOrderForAnAppThatNobodyHasIsRefused) {
  const auto refused = world.order(v1::ORDER_STOP, "edge");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, proto::Code::not_found);
  EXPECT_NE(refused.error().what.find("none of the 2 devices"), std::string::npos);
}

TEST_F(FleetTest, EveryStepIsAnEventWithTheRolloutAndItsDevice) {
  const std::int64_t number = push();
  all_healthy(1);
  const auto rows = world.store->events_after(0, {number, "", ""}, 100);
  ASSERT_TRUE(rows.has_value());
  ASSERT_GE(rows->size(), 4u);
  EXPECT_EQ(rows->back().event.kind(), "rollout.ended");
  EXPECT_EQ(rows->back().event.rollout().verdict(), "dns 1 is live on 2 of 2 devices");
  bool seen = false;
  for (const EventRow& row : *rows) {
    if (row.event.rollout_device().state() == v1::HEALTHY) seen = true;
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace controller
