// What people say of a rollout in waves, and that repeats change nothing, in the pure engine.
#include <string>
#include <vector>

#include "tests/unit/controller/rollout_plan.h"

namespace controller::rollout {
namespace {

TEST(RolloutWaves, KeepLetsNobodyElseInAndTakesNothingBack) {
  Waves plan({4, 4}, v1::KEEP, 2);
  plan.event("edge-04", Offered{});
  plan.say("edge-01", v1::HEALTHY);
  plan.fails(2, "a41c09f2");
  EXPECT_EQ(plan.state("edge-01"), v1::HEALTHY);
  EXPECT_FALSE(plan.is_let_in(3)) << "it was not told yet, and is not now";
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING) << "edge-04 is under way";
  plan.say("edge-04", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.state("edge-04"), v1::HEALTHY);
}

TEST(RolloutWaves, PauseWaitsForAPerson) {
  Waves plan({1, 4}, v1::PAUSE);
  plan.fails(1, "a41c09f2");
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_PAUSED);
  EXPECT_NE(plan.told("rollout.paused"), nullptr);
  plan.after(100 * kDeadline);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_PAUSED);
  EXPECT_TRUE(plan.actions.empty());

  plan.course(resume(plan.rollout, "ana", plan.now_ms));
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING) << "what failed is accepted";
  plan.after(kSoak);
  EXPECT_EQ(plan.rollout.wave, 2u);
  plan.fails(2, "a41c09f2");
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING) << "one more is no trend yet";
}

TEST(RolloutWaves, APausedOneLetsNobodyInAndGoesOnWithWhoIsUnderWay) {
  Waves plan({1, 1});
  plan.course(pause(plan.rollout, "ana", plan.now_ms));
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_PAUSED);
  EXPECT_EQ(plan.rollout.paused_by, "ana");
  plan.course(pause(plan.rollout, "bob", plan.now_ms));
  EXPECT_TRUE(plan.actions.empty()) << "it is paused";
  EXPECT_EQ(plan.rollout.paused_by, "ana");
  plan.say("edge-01", v1::HEALTHY);
  plan.after(10 * kSoak);
  EXPECT_EQ(plan.rollout.wave, 1u);
  plan.course(resume(plan.rollout, "bob", plan.now_ms));
  EXPECT_EQ(plan.rollout.wave, 2u) << "it has soaked long ago";
  plan.course(resume(plan.rollout, "bob", plan.now_ms));
  EXPECT_TRUE(plan.actions.empty());
}

TEST(RolloutWaves, APausedOneWithNothingLeftEnds) {
  Waves plan({1});
  plan.course(pause(plan.rollout, "ana", plan.now_ms));
  plan.say("edge-01", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(plan.rollout.paused_by, "");
}

TEST(RolloutWaves, RetryAsksWhoFailedAgain) {
  Waves plan({1, 1}, v1::KEEP);
  plan.fails(1, "a41c09f2");
  ASSERT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  plan.course(reopen(plan.rollout, "ana", plan.now_ms));
  plan.event("edge-01", Retried{});
  EXPECT_TRUE(plan.is_let_in(1));
  EXPECT_EQ(plan.devices.at("edge-01").row.retries(), 1u);
  EXPECT_TRUE(plan.rollout.faults.empty());
  plan.event("edge-01", Retried{});
  EXPECT_TRUE(plan.actions.empty()) << "it is asked already";
  plan.say("edge-01", v1::HEALTHY);
  plan.after(kSoak);
  EXPECT_TRUE(plan.is_let_in(2)) << "it goes on where it was";
  plan.say("edge-02", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
}

TEST(RolloutWaves, AFirstWaveThatFailsAgainAfterARetryStopsAgain) {
  Waves plan({1, 1}, v1::KEEP);
  plan.fails(1, "a41c09f2");
  plan.course(reopen(plan.rollout, "ana", plan.now_ms));
  plan.event("edge-01", Retried{});
  plan.fails(1, "a41c09f2");
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(RolloutWaves, ARetryThatFailsAgainIsNoSuccess) {
  Waves plan({4}, v1::KEEP);
  plan.say_all(1, 2, v1::HEALTHY);
  plan.fails(3, "", v1::CODE_NO_MEMORY);
  plan.fails(4, "", v1::CODE_NO_MEMORY);
  ASSERT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  plan.course(reopen(plan.rollout, "ana", plan.now_ms));
  plan.take("edge-03", Retried{});
  plan.take("edge-04", Retried{});
  EXPECT_EQ(plan.rollout.accepted_failures, 0u);
  plan.let_in();
  plan.fails(3, "", v1::CODE_NO_MEMORY);
  plan.fails(4, "", v1::CODE_NO_MEMORY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(RolloutWaves, WhatAPersonAcceptedStillCountsAtTheEnd) {
  Waves plan({1, 1}, v1::PAUSE);
  plan.fails(1, "a41c09f2");
  plan.course(resume(plan.rollout, "ana", plan.now_ms));
  plan.after(kSoak);
  plan.say("edge-02", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED) << "1 of 2 is above 10%";
}

TEST(RolloutWaves, WithNothingLeftToStopItIsJudgedAlone) {
  Waves plan({3}, v1::KEEP);
  for (int i = 1; i <= 3; ++i) plan.event(Waves::name(i), Offered{});
  for (int i = 1; i <= 3; ++i) plan.fails(i, "a41c09f2");
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.halted_why, "");
}

TEST(RolloutWaves, WhoGoesOfflineBeforeItIsToldIsNotLetInAnyMore) {
  Waves plan({2});
  plan.event("edge-01", Offline{});
  EXPECT_FALSE(plan.is_let_in(1));
  EXPECT_NE(plan.action<TakeBack>(), nullptr);
  plan.event("edge-01", Online{});
  EXPECT_TRUE(plan.is_let_in(1));
}

TEST(RolloutWaves, AWindowIsNoReasonToWaitForWhoIsNotThere) {
  Waves plan({2});
  plan.event("edge-01", Offered{});
  plan.say("edge-01", v1::STAGED);
  plan.event("edge-01", Gated{false, true, "waits for its apply window"});
  EXPECT_EQ(plan.devices.at("edge-01").deadline_ms, 0);
  plan.event("edge-01", Offline{});
  EXPECT_EQ(plan.devices.at("edge-01").deadline_ms, plan.now_ms + kDeadline);
  plan.event("edge-01", Online{});
  EXPECT_EQ(plan.devices.at("edge-01").deadline_ms, 0);
  plan.event("edge-01", Offline{});
  plan.now_ms += kDeadline;
  plan.event("edge-01", DeadlinePassed{});
  EXPECT_FALSE(plan.is_let_in(1));
}

TEST(RolloutWaves, ARetryAfterASuccessLeavesTheVerdict) {
  Waves plan({10});
  plan.say_all(1, 9, v1::HEALTHY);
  plan.fails(10, "", v1::CODE_NO_MEMORY);
  ASSERT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  plan.course(reopen(plan.rollout, "ana", plan.now_ms));
  plan.event("edge-10", Retried{});
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_TRUE(plan.is_let_in(10));
}

TEST(RolloutWaves, WhoLeavesIsNotOfItAnyMore) {
  Waves plan({1, 2});
  const Device gone = plan.devices.at("edge-03");
  plan.devices.erase("edge-03");
  plan.course(leave(plan.rollout, gone, plan.now_ms));
  EXPECT_EQ(plan.rollout.counts.devices(), 2u);
  EXPECT_EQ(plan.rollout.waves[1].counts().devices(), 1u);
  plan.say("edge-01", v1::HEALTHY);
  plan.after(kSoak);
  plan.say("edge-02", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
}

TEST(RolloutWaves, WhoTookItWhileItWasTakenBackIsTold) {
  Waves plan({1});
  plan.event("edge-01", Offered{});
  plan.event("edge-01", Offline{});
  plan.now_ms += kDeadline;
  plan.event("edge-01", DeadlinePassed{});
  ASSERT_FALSE(plan.is_let_in(1));
  plan.take("edge-01", Reported{plan.report("edge-01", v1::FETCHING)});
  EXPECT_EQ(plan.state("edge-01"), v1::WAITING);
  plan.take("edge-01", Reported{plan.report("edge-01", v1::HEALTHY)});
  EXPECT_EQ(plan.state("edge-01"), v1::HEALTHY);
}

TEST(RolloutWaves, AStageIsASuccessWhenItIsStaged) {
  Plan plan(v1::KIND_STAGE);
  plan.offered("edge-1");
  plan.say("edge-1", v1::STAGED);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(plan.rollout.verdict, "dns 2 is staged on 1 of 1 device");
  EXPECT_TRUE(plan.devices.at("edge-1").ended);
}

// Each event comes twice, in each state of a device; the second changes nothing.
TEST(RolloutWaves, RepeatsChangeNothing) {
  const std::vector<v1::DeviceState> ways = {v1::WAITING, v1::FETCHING, v1::STAGED, v1::TRIAL,
                                             v1::HEALTHY, v1::REVERTED, v1::FAILED, v1::HELD};
  for (const v1::DeviceState state : ways) {
    for (const v1::DeviceState then : ways) {
      Waves plan({2, 2}, v1::REVERT, 2);
      if (state != v1::WAITING) plan.say("edge-01", state);
      const std::vector<Event> events = {
          Online{}, Offline{}, Offered{}, DeadlinePassed{}, Gated{true, true, "waits"},
          Superseded{"r-9"}, Aborted{"ana"}, Halted{"back", 1}, Retried{},
          Reported{plan.report("edge-01", then)}};
      for (const Event& event : events) {
        Step once = step(plan.rollout, plan.devices.at("edge-01"), event, plan.now_ms);
        const Step twice = step(once.rollout, once.device, event, plan.now_ms);
        EXPECT_EQ(to_api(twice.rollout).SerializeAsString(),
                  to_api(once.rollout).SerializeAsString())
            << word(state) << ", then event " << event.index() << " " << word(then);
        EXPECT_EQ(twice.device.row.SerializeAsString(), once.device.row.SerializeAsString())
            << word(state) << ", then event " << event.index() << " " << word(then);
      }
    }
  }
}

}  // namespace
}  // namespace controller::rollout
