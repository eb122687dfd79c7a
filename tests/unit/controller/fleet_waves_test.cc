// Waves, budgets, going back, people's words and members in the fleet: the engine with its store.
#include <algorithm>

#include "tests/unit/controller/fleet_of_devices.h"

namespace controller {
namespace {

using FleetWaves = FleetOfDevices;

TEST_F(FleetWaves, WantsTheReleaseOfWhoseTurnItIs) {
  devices(3);
  settled(3);
  const std::int64_t number = push(waves({"1"}));
  EXPECT_EQ(world.wish("edge-1")->release(), 2u);
  EXPECT_EQ(world.wish("edge-2")->release(), 1u);
  say(1, v1::HEALTHY, 2);
  tick(kSoak - 1);
  EXPECT_EQ(world.wish("edge-2")->release(), 1u);
  tick(1);
  EXPECT_EQ(world.wish("edge-2")->release(), 2u);
  EXPECT_EQ(world.wish("edge-3")->rollout(), "r-2");
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 1u) << "not before it succeeded";
  say(2, v1::HEALTHY, 2);
  say(3, v1::HEALTHY, 2);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 2u);
}

TEST_F(FleetWaves, WhoIsOnlineComesFirst) {
  devices(3);
  world.offline("edge-1");
  const std::int64_t number = push(waves({"1"}));
  EXPECT_FALSE(is_let_in(number, 1));
  EXPECT_TRUE(is_let_in(number, 2));
}

TEST_F(FleetWaves, ASoakOutlivesTheController) {
  devices(2);
  const std::int64_t number = push(waves({"1"}));
  say(1, v1::HEALTHY, 1);
  const std::int64_t until = world.rollout(number).soak_until_ms;
  EXPECT_GT(until, 0);
  world.restart();
  EXPECT_EQ(world.rollout(number).soak_until_ms, until);
  tick(kSoak);
  EXPECT_EQ(world.rollout(number).wave, 2u);
  EXPECT_FALSE(is_let_in(number, 2)) << "it is not back yet";
  world.online("edge-2");
  EXPECT_TRUE(is_let_in(number, 2));
}

TEST_F(FleetWaves, ABadReleaseIsStoppedInTheFirstWaveAndTakenBack) {
  devices(6);
  settled(6);
  const std::int64_t number = push(waves({"2"}));
  say(1, v1::HEALTHY, 2);
  slots(1, 2, 1);
  v1::RolloutPolicy kept = world.rollout(number).policy;
  EXPECT_EQ(kept.on_failure(), v1::REVERT);
  say(2, v1::REVERTED, 1);  // device's word without a fingerprint: 1 of 6 is above 2%, but of two
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_RUNNING);
  tick(kSoak);
  ASSERT_EQ(world.rollout(number).wave, 2u);
  ASSERT_TRUE(world.fleet->desired_sent(world.id_of("edge-6")).has_value());
  for (int i = 3; i <= 5; ++i) say(i, v1::REVERTED, 1);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_REVERTING);
  EXPECT_EQ(world.wish("edge-1")->fall_back(), 1u);
  EXPECT_EQ(world.wish("edge-6")->fall_back(), 1u) << "on its way there: by the same order";
  say(1, v1::TRIAL, 1);
  say(1, v1::HEALTHY, 1);
  EXPECT_EQ(world.state(number, "edge-1"), v1::REVERTED);
  EXPECT_EQ(world.wish("edge-1")->fall_back(), 0u);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  say(6, v1::HEALTHY, 1);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(*world.fleet->wanted_release("dns"), 1u);
}

TEST_F(FleetWaves, WhoIsOutOfTheWindowIsHeldAndKeepsIt) {
  const std::int64_t number = half_of_a_wave();
  say(2, v1::REVERTED, 1);
  ASSERT_EQ(world.wish("edge-1")->fall_back(), 1u);
  say(1, v1::HELD, 2);
  EXPECT_EQ(world.state(number, "edge-1"), v1::HELD);
  EXPECT_EQ(world.wish("edge-1")->release(), 2u);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
}

TEST_F(FleetWaves, ANewerWishIsNotTakenBack) {
  const std::int64_t number = half_of_a_wave();
  push({}, "edge-1");
  say(1, v1::HEALTHY, 3);
  say(2, v1::REVERTED, 1);
  EXPECT_EQ(world.wish("edge-1")->fall_back(), 0u);
  EXPECT_EQ(world.wish("edge-1")->release(), 3u);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
}

TEST_F(FleetWaves, AnOrderAfterAStepBackThatNobodyTookIsForWhatRuns) {
  devices(1);
  settled(1);
  push({});
  say(1, v1::HEALTHY, 2);
  slots(1, 2, 0);  // its other slot is not known to hold anything
  world.offline(name(1));
  ASSERT_TRUE(world.order(v1::ORDER_REVERT, "edge").has_value());
  ASSERT_EQ(world.wish(name(1))->release(), 1u) << "a guess; the device will say";
  const auto restart = world.order(v1::ORDER_RESTART, "edge");
  ASSERT_TRUE(restart.has_value());
  EXPECT_EQ(world.wish(name(1))->release(), 2u);
  EXPECT_EQ(world.wish(name(1))->fall_back(), 0u);
}

TEST_F(FleetWaves, WhatIsCalledOffAfterAStepBackBringsBackNoGuess) {
  devices(1);
  settled(1);
  push({});
  say(1, v1::HEALTHY, 2);
  slots(1, 2, 0);
  world.offline(name(1));
  ASSERT_TRUE(world.order(v1::ORDER_REVERT, "edge").has_value());
  const auto stop = world.order(v1::ORDER_STOP, "edge");
  ASSERT_TRUE(stop.has_value());
  ASSERT_TRUE(world.fleet->abort(stop->number, "ana").has_value());
  EXPECT_EQ(world.wish(name(1))->run(), v1::RUN);
  EXPECT_EQ(world.wish(name(1))->release(), 2u);
}

TEST_F(FleetWaves, NeverMoreOfOneSiteThanTheBudget) {
  devices(6, 2);
  const std::int64_t number = push(one_per_site());
  EXPECT_EQ(let_in_count(number, 6), 2);
  EXPECT_TRUE(is_let_in(number, 1));
  EXPECT_TRUE(is_let_in(number, 2));
  say(1, v1::HEALTHY, 1);
  EXPECT_TRUE(is_let_in(number, 3)) << "the next one of its site";
  EXPECT_FALSE(is_let_in(number, 4));
  world.restart();
  for (int i = 1; i <= 6; ++i) world.online(name(i));
  EXPECT_EQ(let_in_count(number, 6), 3) << "who is under way counts after a restart, too";
  for (int i = 2; i <= 6; ++i) say(i, v1::HEALTHY, 1);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
}

TEST_F(FleetWaves, ABudgetCountsWhatOtherRolloutsDo) {
  devices(4, 2);
  const std::int64_t one = push({}, "edge-1");
  EXPECT_TRUE(is_let_in(one, 1));
  const std::int64_t other = push(one_per_site(), "site=s0");
  EXPECT_TRUE(is_let_in(other, 1)) << "it is under way already: no device more";
  EXPECT_FALSE(is_let_in(other, 3));
  say(1, v1::HEALTHY, 2);
  EXPECT_TRUE(is_let_in(other, 3));
}

TEST_F(FleetWaves, ABudgetThatAnotherRolloutFreesIsSeenByTheNextTick) {
  devices(2, 1);
  push({}, "edge-1");
  const std::int64_t other = push(one_per_site(), "edge-2");
  EXPECT_FALSE(is_let_in(other, 2));
  say(1, v1::HEALTHY, 1);
  tick(1000);
  EXPECT_TRUE(is_let_in(other, 2));
}

TEST_F(FleetWaves, WhoWentOfflineOnTheWayFreesItsBudgetByTheDeadline) {
  devices(2, 1);
  v1::RolloutPolicy policy = one_per_site();
  policy.set_device_deadline_ms(60'000);
  const std::int64_t number = push(policy);
  ASSERT_TRUE(world.fleet->desired_sent(world.id_of("edge-1")).has_value());
  world.offline("edge-1");
  tick(30'000);
  EXPECT_FALSE(is_let_in(number, 2));
  tick(30'000);
  EXPECT_TRUE(is_let_in(number, 2));
  EXPECT_FALSE(world.wish("edge-1").has_value()) << "it passes the gate again";
  world.online("edge-1");
  EXPECT_FALSE(is_let_in(number, 1));
  say(2, v1::HEALTHY, 1);
  EXPECT_TRUE(is_let_in(number, 1));
}

TEST_F(FleetWaves, DevicesWithoutTheLabelAreOneGroup) {
  devices(3);
  EXPECT_EQ(let_in_count(push(one_per_site()), 3), 1);
}

TEST_F(FleetWaves, WhoGoesBackIsNotLetInBesideOthers) {
  devices(4);
  settled(4);
  v1::RolloutPolicy policy = waves({"3"});
  policy.set_min_finished(3);
  push(policy);
  for (const int taker : {1, 2}) {
    say(taker, v1::HEALTHY, 2);
    slots(taker, 2, 1);
  }
  say(3, v1::REVERTED, 1);
  ASSERT_EQ(world.wish(name(1))->fall_back(), 1u);
  ASSERT_EQ(world.wish(name(2))->fall_back(), 1u);
  const std::int64_t next = push(one_per_site());
  EXPECT_EQ(let_in_count(next, 4), 0) << "two are under way without having asked";
  say(1, v1::HEALTHY, 1);
  tick(1000);
  EXPECT_EQ(let_in_count(next, 4), 1);
  EXPECT_TRUE(is_let_in(next, 2)) << "it is under way already";
}

TEST_F(FleetWaves, PauseResumeAndAbortMayBeSaidTwice) {
  devices(3);
  const std::int64_t number = push(waves({"1"}));
  for (int i = 0; i < 2; ++i) {
    const auto paused = world.fleet->pause(number, "ana");
    ASSERT_TRUE(paused.has_value());
    EXPECT_EQ(paused->state, v1::ROLLOUT_PAUSED);
  }
  say(1, v1::HEALTHY, 1);
  tick(10 * kSoak);
  EXPECT_FALSE(is_let_in(number, 2));
  world.restart();
  for (int i = 1; i <= 3; ++i) world.online(name(i));
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_PAUSED);
  EXPECT_EQ(world.rollout(number).paused_by, "ana");
  for (int i = 0; i < 2; ++i) {
    const auto resumed = world.fleet->resume(number, "bob");
    ASSERT_TRUE(resumed.has_value());
    EXPECT_EQ(resumed->state, v1::ROLLOUT_RUNNING);
  }
  EXPECT_TRUE(is_let_in(number, 2));
  for (int i = 0; i < 2; ++i) {
    const auto ended = world.fleet->abort(number, "ana");
    ASSERT_TRUE(ended.has_value());
    EXPECT_EQ(ended->state, v1::ROLLOUT_ABORTED);
  }
  EXPECT_EQ(world.fleet->pause(number, "ana").error().code, proto::Code::conflict);
  EXPECT_EQ(world.fleet->resume(number, "ana").error().code, proto::Code::conflict);
  EXPECT_EQ(world.fleet->retry(number, "", "ana").error().code, proto::Code::conflict);
  EXPECT_EQ(world.fleet->pause(99, "ana").error().code, proto::Code::not_found);
  std::vector<std::string> kinds;
  const auto told = world.store->events_after(0, {number, "", ""}, 1000);
  for (const EventRow& row : *told) kinds.push_back(row.event.kind());
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "rollout.paused"), 1);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "rollout.resumed"), 1);
  EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "rollout.ended"), 1);
}

TEST_F(FleetWaves, RetryAsksAgainAndMayTryARefusedDigest) {
  devices(2);
  settled(2);
  const std::int64_t number = push({});
  say(1, v1::REVERTED, 1);
  say(2, v1::FAILED, 1);
  ASSERT_EQ(world.rollout(number).state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(world.fleet->retry(number, "edge-9", "ana").error().code, proto::Code::not_found);
  ASSERT_TRUE(world.fleet->retry(number, "edge-1", "ana").has_value());
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_RUNNING);
  EXPECT_EQ(world.wish("edge-1")->release(), 2u);
  EXPECT_TRUE(world.wish("edge-1")->retry_refused());
  EXPECT_EQ(world.wish("edge-2")->release(), 1u);
  const std::string attempt = world.wish("edge-1")->attempt();
  ASSERT_TRUE(world.fleet->retry(number, "edge-1", "ana").has_value());
  EXPECT_EQ(world.wish("edge-1")->attempt(), attempt) << "it is asked already";
  ASSERT_TRUE(world.fleet->retry(number, "", "ana").has_value());
  EXPECT_EQ(world.wish("edge-2")->release(), 2u);
  say(1, v1::HEALTHY, 2);
  say(2, v1::HEALTHY, 2);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  const auto nothing = world.fleet->retry(number, "", "ana");
  ASSERT_TRUE(nothing.has_value());
  EXPECT_EQ(nothing->state, v1::ROLLOUT_SUCCEEDED);
}

TEST_F(FleetWaves, RetryLeavesWhatANewerRolloutWantsAlone) {
  devices(1);
  settled(1);
  const std::int64_t number = push({});
  say(1, v1::REVERTED, 1);
  push({});
  say(1, v1::HEALTHY, 3);
  ASSERT_TRUE(world.fleet->retry(number, "", "ana").has_value());
  EXPECT_EQ(world.wish("edge-1")->release(), 3u);
}

TEST_F(FleetWaves, WhoGetsTheLabelJoinsAlsoWhenSomethingElseIsWantedOfIt) {
  devices(3);
  settled(3);
  label(1, "role", "resolver");
  label(2, "role", "resolver");
  const std::int64_t number = push({}, "role=resolver");
  EXPECT_EQ(world.wish("edge-3")->release(), 1u);
  label(3, "role", "resolver");
  EXPECT_EQ(world.wish("edge-3")->release(), 2u) << "it runs: the device joins it";
  for (int i = 1; i <= 3; ++i) say(i, v1::HEALTHY, 2);
  EXPECT_EQ(world.rollout(number).counts.healthy(), 3u);
  world.enroll("edge-4");
  world.online("edge-4");
  EXPECT_EQ(world.wish("edge-4")->release(), 1u);
  label(4, "role", "resolver");
  EXPECT_EQ(world.wish("edge-4")->release(), 2u) << "it succeeded: the device joins it";
}

TEST_F(FleetWaves, WhoJoinsIsOfTheLastWave) {
  devices(3);
  settled(3);
  label(1, "role", "resolver");
  label(2, "role", "resolver");
  const std::int64_t number = push(waves({"1"}), "role=resolver");
  label(3, "role", "resolver");
  EXPECT_FALSE(is_let_in(number, 3));
  EXPECT_EQ(world.rollout(number).waves.at(1).counts().devices(), 2u);
}

TEST_F(FleetWaves, WhoLeavesKeepsWhatItHasAndGetsNoMore) {
  devices(3);
  settled(3);
  for (int i = 1; i <= 3; ++i) label(i, "role", "resolver");
  const std::int64_t number = push(waves({"1"}), "role=resolver");
  unlabel(3, "role");
  EXPECT_EQ(world.rollout(number).counts.devices(), 2u);
  unlabel(1, "role");
  EXPECT_EQ(world.rollout(number).counts.devices(), 2u) << "it has it";
  say(1, v1::HEALTHY, 2);
  tick(kSoak);
  say(2, v1::HEALTHY, 2);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(world.wish("edge-3")->release(), 1u);
}

// Rows and rollouts of a controller that knew no waves.
TEST_F(FleetWaves, ARolloutOfASchemaBeforeGoesOn) {
  devices(2);
  const std::int64_t number = push({});
  rollout::Rollout old = world.rollout(number);
  old.policy.Clear();
  old.waves.clear();
  ASSERT_TRUE(world.store->set_rollout(old).has_value());
  world.restart();
  for (int i = 1; i <= 2; ++i) world.online(name(i));
  say(1, v1::HEALTHY, 1);
  say(2, v1::HEALTHY, 1);
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(world.rollout(number).waves.size(), 1u);
}

// A push to thousands: each transaction lets in a few, others come between, a pause stops it.
TEST_F(FleetWaves, ManyAreLetInAFewAtATime) {
  constexpr int kMany = 5 * static_cast<int>(kLetInAtOnce) / 2;
  const auto join = [&]() -> Status {
    for (int i = 1; i <= kMany; ++i) {
      DeviceRow row;
      row.id = "id-" + std::to_string(i);
      row.name = name(i);
      TRY_VOID(world.store->add_device(row));
      TRY_VOID(world.store->add_group(row.id, "edge"));
      TRY_VOID(world.fleet->came_online(row.id, row.name));
    }
    return {};
  };
  ASSERT_TRUE(world.fleet->together(join).has_value());
  int calls = 0;
  world.fleet->more_to_do = [&calls] { ++calls; };
  const auto let_in = [&] {
    const auto rows = world.store->rollout_devices(1);
    return std::count_if(rows->begin(), rows->end(),
                         [](const rollout::Device& device) { return device.row.let_in(); });
  };
  v1::RolloutPolicy at_once;
  at_once.set_strategy(v1::ALL);
  push(at_once);
  EXPECT_EQ(let_in(), kLetInAtOnce);
  EXPECT_EQ(calls, 1);
  ASSERT_TRUE(world.fleet->pause(1, "ana").has_value());
  ASSERT_TRUE(world.fleet->go_on().has_value());
  EXPECT_EQ(let_in(), kLetInAtOnce);
  ASSERT_TRUE(world.fleet->resume(1, "ana").has_value());
  EXPECT_EQ(let_in(), 2 * kLetInAtOnce);
  ASSERT_TRUE(world.fleet->go_on().has_value());
  EXPECT_EQ(let_in(), kMany);
  calls = 0;
  ASSERT_TRUE(world.fleet->go_on().has_value());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(world.rollout(1).counts.waiting(), static_cast<std::uint32_t>(kMany));
}

}  // namespace
}  // namespace controller
