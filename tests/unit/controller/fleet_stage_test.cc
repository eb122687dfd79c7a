// What is staged beside what runs, and what becomes of it when that fails or goes back.
#include "ota/hash.h"
#include "tests/unit/controller/fleet_of_devices.h"

namespace controller {
namespace {

using FleetStage = FleetOfDevices;

TEST_F(FleetStage, AStageWantsTheReleaseBesideWhatRuns) {
  devices(2);
  settled(2);
  const std::int64_t number = push({}, "edge", true);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 2u);
  say(1, v1::STAGED, 1);
  say(2, v1::STAGED, 1);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 1u);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 2u) << "so that it stays staged";
  push({});
  EXPECT_EQ(world.wish("edge-1")->release(), 3u);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 0u);
}

TEST_F(FleetStage, AStageWaitsForTheUpdateThatIsUnderWay) {
  devices(1);
  push({});
  const std::int64_t number = push({}, "edge", true);
  EXPECT_FALSE(is_let_in(number, 1));
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  say(1, v1::HEALTHY, 1);
  tick(1000);
  EXPECT_TRUE(is_let_in(number, 1));
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 2u);
}

TEST_F(FleetStage, WaitsForAWishOfNoRollout) {
  devices(1);
  settled(1);
  v1::DesiredApp taken_back = *world.wish(name(1));
  taken_back.clear_rollout();
  taken_back.set_attempt(ota::random_id());
  taken_back.set_run(v1::STOP);
  ASSERT_TRUE(world.store->set_desired(world.id_of(name(1)), taken_back).has_value());
  const std::int64_t number = push({}, "edge", true);
  EXPECT_FALSE(is_let_in(number, 1));
  v1::Telemetry facts = world.store->device(world.id_of(name(1))).value()->facts;
  facts.mutable_apps(0)->set_stopped(true);
  ASSERT_TRUE(world.store->set_facts(world.id_of(name(1)), facts, 2).has_value());
  tick(1000);
  EXPECT_TRUE(is_let_in(number, 1));
  EXPECT_EQ(world.wish(name(1))->run(), v1::STOP);
}

TEST_F(FleetStage, WaitsForTheValuesOfAWishThatWasTakenBack) {
  devices(1);
  settled(1);
  world.offline(name(1));
  const auto start = world.order(v1::ORDER_START, name(1));
  ASSERT_TRUE(start.has_value());
  ASSERT_TRUE(world.fleet->abort(start->number, "ana").has_value());
  world.online(name(1));
  const std::int64_t number = push({}, "edge", true);
  EXPECT_FALSE(is_let_in(number, 1)) << "the device may have other values yet";
  const World::Attempt taken_back{world.wish(name(1))->attempt(), 1};
  ASSERT_TRUE(world.report(name(1), v1::HEALTHY, 1, taken_back).has_value());
  tick(1000);
  EXPECT_TRUE(is_let_in(number, 1));
}

TEST_F(FleetStage, StandsBesideWhatRunsAndNobodyWants) {
  devices(1);
  slots(1, 1, 0);  // it took that before it was called off
  push({}, "edge", true);
  EXPECT_EQ(world.wish(name(1))->release(), 1u);
  EXPECT_EQ(world.wish(name(1))->stage_release(), 1u);
}

TEST_F(FleetStage, StagesWhatWasDeleted) {
  devices(1);
  settled(1);
  ASSERT_TRUE(world.order(v1::ORDER_DELETE, "edge").has_value());
  say(1, v1::REMOVED, 0);
  push({}, "edge", true);
  EXPECT_EQ(world.wish(name(1))->run(), v1::RUN) << "else the device removes it again";
  EXPECT_EQ(world.wish(name(1))->release(), 0u);
  EXPECT_EQ(world.wish(name(1))->stage_release(), 2u);
}

TEST_F(FleetStage, AnOrderAfterAStageForgetsIt) {
  devices(1);
  settled(1);
  push({}, "edge", true);
  say(1, v1::STAGED, 1);
  ASSERT_TRUE(world.order(v1::ORDER_STOP, "edge").has_value());
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 0u);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
}

TEST_F(FleetStage, AStageThatFailedIsNotAskedAgain) {
  devices(1);
  settled(1);
  push({}, "edge", true);
  say(1, v1::FAILED, 1);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 0u);
}

TEST_F(FleetStage, AReleaseThatFailsUnderAStageIsNotWantedAnyMore) {
  devices(1);
  push({});
  say(1, v1::HEALTHY, 1);
  const std::string first = world.wish("edge-1")->attempt();
  push({}, "edge", true);
  say(1, v1::STAGED, 1);
  const std::string staged = world.wish("edge-1")->attempt();
  slots(1, 0, 0);  // its Hello comes first
  ASSERT_TRUE(world.report("edge-1", v1::FAILED, 0, World::Attempt{first, 1}).has_value());
  EXPECT_EQ(world.state(1, "edge-1"), v1::FAILED);
  const auto wish = world.wish("edge-1");
  ASSERT_TRUE(wish.has_value());
  EXPECT_EQ(wish->release(), 0u);
  EXPECT_EQ(wish->stage_release(), 2u) << "it is a wish of its own";
  EXPECT_EQ(wish->attempt(), staged);
}

TEST_F(FleetStage, StandsBesideWhatTurnsOutToRun) {
  devices(1);
  settled(1);
  push({}, "edge", true);
  const std::string staged = world.wish(name(1))->attempt();
  // What it took while nobody heard of it; the rollout was called off since.
  ASSERT_TRUE(world.report(name(1), v1::HEALTHY, 3, World::Attempt{"called-off", 3}).has_value());
  EXPECT_EQ(world.wish(name(1))->release(), 3u);
  EXPECT_TRUE(world.wish(name(1))->keep_values()) << "it runs with values of its own";
  EXPECT_EQ(world.wish(name(1))->stage_release(), 2u);
  EXPECT_EQ(world.wish(name(1))->attempt(), staged);
}

TEST_F(FleetStage, AFleetGoesBackOverWhatWasStaged) {
  const std::int64_t number = half_of_a_wave();
  const std::int64_t stage = push({}, name(1), true);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 3u);
  say(2, v1::REVERTED, 1);
  EXPECT_EQ(world.wish("edge-1")->fall_back(), 1u);
  EXPECT_EQ(world.wish("edge-1")->stage_release(), 0u);
  EXPECT_EQ(world.state(stage, "edge-1"), v1::SUPERSEDED);
  say(1, v1::HEALTHY, 1);
  EXPECT_EQ(world.state(number, "edge-1"), v1::REVERTED);
}

}  // namespace
}  // namespace controller
