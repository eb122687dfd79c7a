#include <string>
#include <vector>

#include "tests/unit/controller/rollout_plan.h"

namespace controller::rollout {
namespace {

TEST(Rollout, AnOnlineDeviceIsOfferedItWhenItJoins) {
  Plan plan;
  plan.join("edge-1", true);
  EXPECT_NE(plan.action<Want>(), nullptr);
  EXPECT_EQ(plan.rollout.counts.waiting(), 1u);
  plan.event("edge-1", Offered{});
  EXPECT_EQ(plan.state("edge-1"), v1::OFFERED);
  EXPECT_EQ(plan.rollout.counts.busy(), 1u);
  EXPECT_EQ(plan.rollout.counts.waiting(), 0u);
  EXPECT_EQ(plan.devices.at("edge-1").deadline_ms, kStart + kDeadline);
}

TEST(Rollout, AnOfflineDeviceWaitsAndHasNoDeadline) {
  Plan plan;
  plan.join("edge-1", false);
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_EQ(plan.rollout.counts.offline(), 1u);
  EXPECT_EQ(plan.devices.at("edge-1").deadline_ms, 0);
}

TEST(Rollout, AllHealthySucceeds) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  for (const char* name : {"edge-1", "edge-2"}) {
    for (const auto state : {v1::FETCHING, v1::STAGED, v1::TRIAL}) {
      plan.say(name, state);
      EXPECT_EQ(plan.state(name), state);
      EXPECT_NE(plan.action<Tell>(), nullptr);
      EXPECT_EQ(plan.action<Ended>(), nullptr);
    }
    plan.say(name, v1::HEALTHY);
  }
  EXPECT_NE(plan.action<Ended>(), nullptr);
  EXPECT_EQ(plan.action<KeepRunning>(), nullptr);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(plan.rollout.verdict, "dns 2 is live on 2 of 2 devices");
  EXPECT_EQ(plan.rollout.ended_ms, kStart);
}

TEST(Rollout, WhoIsOfflineDoesNotHoldItUp) {
  Plan plan;
  plan.offered("edge-1");
  plan.join("edge-2", false);
  plan.say("edge-1", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(plan.rollout.verdict, "dns 2 is live on 1 of 1 reachable device; 1 offline");
}

TEST(Rollout, WhoComesBackAfterASuccessJoins) {
  Plan plan;
  plan.offered("edge-1");
  plan.join("edge-2", false);
  plan.say("edge-1", v1::HEALTHY);
  plan.event("edge-2", Online{});
  EXPECT_NE(plan.action<Want>(), nullptr);
  plan.event("edge-2", Offered{});
  plan.say("edge-2", v1::REVERTED);
  EXPECT_EQ(plan.state("edge-2"), v1::REVERTED);
  EXPECT_NE(plan.action<KeepRunning>(), nullptr);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED) << "the verdict stands";
  EXPECT_EQ(plan.rollout.counts.reverted(), 1u) << "the counts follow";
}

TEST(Rollout, WhoComesBackAfterAFailureIsLeftAlone) {
  Plan plan;
  plan.offered("edge-1");
  plan.join("edge-2", false);
  plan.say("edge-1", v1::REVERTED);
  ASSERT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  plan.event("edge-2", Online{});
  EXPECT_TRUE(plan.actions.empty());
  plan.event("edge-2", Offered{});
  EXPECT_EQ(plan.state("edge-2"), v1::WAITING);
}

TEST(Rollout, OneRevertedDeviceFailsItOnceAllHaveEnded) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.say("edge-1", v1::REVERTED);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING);
  ASSERT_NE(plan.action<KeepRunning>(), nullptr);
  EXPECT_EQ(plan.action<KeepRunning>()->release, 1u);
  plan.say("edge-2", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.verdict,
            "dns 2: 1 healthy, 1 reverted; first: edge-1 reverted: no answer: dns, 0 of 18 probes");
}

TEST(Rollout, EachBadEndFailsAPush) {
  for (const auto state : {v1::REVERTED, v1::FAILED, v1::HELD}) {
    Plan plan;
    plan.offered("edge-1");
    plan.say("edge-1", state);
    EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED) << word(state);
    EXPECT_NE(plan.action<KeepRunning>(), nullptr) << word(state);
  }
}

TEST(Rollout, EachKindHasItsOwnSuccess) {
  const std::vector<std::pair<v1::RolloutKind, v1::DeviceState>> cases = {
      {v1::KIND_PUSH, v1::HEALTHY},    {v1::KIND_STOP, v1::STOPPED},
      {v1::KIND_START, v1::HEALTHY},   {v1::KIND_RESTART, v1::HEALTHY},
      {v1::KIND_DELETE, v1::REMOVED},  {v1::KIND_REVERT, v1::HEALTHY},
      {v1::KIND_REVERT, v1::REVERTED}};
  for (const auto& [kind, state] : cases) {
    Plan plan(kind);
    plan.offered("edge-1");
    plan.say("edge-1", state);
    EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED) << kind << " " << word(state);
    EXPECT_EQ(plan.action<KeepRunning>(), nullptr);
    EXPECT_FALSE(plan.rollout.verdict.empty());
  }
}

TEST(Rollout, AStopThatEndsHealthyIsNoSuccess) {
  Plan plan(v1::KIND_STOP);
  plan.offered("edge-1");
  plan.say("edge-1", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.counts.failed(), 1u);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(Rollout, ARevertWithoutAnotherSlotIsHeldAndFails) {
  Plan plan(v1::KIND_REVERT);
  plan.offered("edge-1");
  plan.say("edge-1", v1::HELD);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.counts.held(), 1u);
}

TEST(Rollout, ARepeatedReportChangesNothing) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.say("edge-1", v1::HEALTHY);
  const auto counts = plan.rollout.counts.SerializeAsString();
  plan.say("edge-1", v1::HEALTHY);
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_EQ(plan.rollout.counts.SerializeAsString(), counts);
}

TEST(Rollout, ALateWordOfTheWayThereIsOldNews) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.say("edge-1", v1::HEALTHY);
  plan.say("edge-1", v1::TRIAL);
  EXPECT_EQ(plan.state("edge-1"), v1::HEALTHY);
}

TEST(Rollout, ARevertDuringTheWatchCounts) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.say("edge-1", v1::HEALTHY);
  plan.say("edge-1", v1::REVERTED);
  EXPECT_EQ(plan.state("edge-1"), v1::REVERTED);
  EXPECT_NE(plan.action<KeepRunning>(), nullptr);
  plan.say("edge-2", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(Rollout, AReportOfAnotherAttemptIsNotOurs) {
  Plan plan;
  plan.offered("edge-1");
  v1::Report report = plan.report("edge-1", v1::HEALTHY);
  report.set_attempt("of-another-wish");
  plan.event("edge-1", Reported{report});
  EXPECT_EQ(plan.state("edge-1"), v1::OFFERED);
}

TEST(Rollout, HealthyWithAnotherReleaseIsNotBelieved) {
  Plan plan;
  plan.offered("edge-1");
  v1::Report report = plan.report("edge-1", v1::HEALTHY);
  report.set_release(1);
  plan.event("edge-1", Reported{report});
  EXPECT_EQ(plan.state("edge-1"), v1::OFFERED);
}

TEST(Rollout, ADeviceCannotSayWhatOnlyTheControllerSays) {
  for (const auto state : {v1::WAITING, v1::OFFERED, v1::DEVICE_STATE_UNSPECIFIED}) {
    Plan plan;
    plan.offered("edge-1");
    plan.say("edge-1", v1::STAGED);
    plan.say("edge-1", state);
    EXPECT_EQ(plan.state("edge-1"), v1::STAGED);
  }
}

TEST(Rollout, EachStateHasItsOwnDeadline) {
  Plan plan;
  plan.offered("edge-1");
  plan.now_ms += kDeadline - 1;
  plan.say("edge-1", v1::FETCHING);
  plan.now_ms += kDeadline - 1;
  plan.event("edge-1", DeadlinePassed{});
  EXPECT_EQ(plan.state("edge-1"), v1::FETCHING) << "not over yet";
  plan.now_ms += 1;
  plan.event("edge-1", DeadlinePassed{});
  EXPECT_EQ(plan.state("edge-1"), v1::FAILED);
  EXPECT_EQ(plan.devices.at("edge-1").row.why().code(), v1::CODE_TIMEOUT);
  EXPECT_EQ(plan.devices.at("edge-1").row.why().text(),
            "no verdict within 60 s; last heard: fetching");
  EXPECT_EQ(plan.action<KeepRunning>(), nullptr) << "it may still be at work";
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(Rollout, AFailureThatIsToldAfterItsDeadlineStillEndsTheWish) {
  Plan plan;
  plan.offered("edge-1");
  plan.now_ms += kDeadline;
  plan.event("edge-1", DeadlinePassed{});
  plan.say("edge-1", v1::FAILED);
  ASSERT_NE(plan.action<KeepRunning>(), nullptr);
  EXPECT_EQ(plan.action<KeepRunning>()->release, 1u);
  EXPECT_EQ(plan.action<Ended>(), nullptr) << "the verdict stands";
}

TEST(Rollout, WhoGoesOfflineOnTheWayIsNotFailedAndPassesTheGatesAgain) {
  for (const auto state : {v1::OFFERED, v1::FETCHING, v1::STAGED}) {
    Plan plan;
    plan.offered("edge-1");
    plan.offered("edge-2");
    if (state != v1::OFFERED) plan.say("edge-1", state);
    plan.event("edge-1", Offline{});
    EXPECT_EQ(plan.rollout.counts.busy(), 2u);
    plan.now_ms += kDeadline;
    plan.event("edge-1", DeadlinePassed{});
    EXPECT_EQ(plan.state("edge-1"), v1::WAITING) << word(state);
    ASSERT_NE(plan.action<TakeBack>(), nullptr);
    EXPECT_EQ(plan.action<TakeBack>()->attempt, "attempt-edge-1");
    EXPECT_EQ(plan.rollout.counts.offline(), 1u);
    plan.event("edge-1", DeadlinePassed{});
    EXPECT_TRUE(plan.actions.empty());
    plan.event("edge-1", Online{});
    EXPECT_NE(plan.action<Want>(), nullptr);
  }
}

TEST(Rollout, WhoGoesOfflineInItsTrialHasFailedByTheDeadline) {
  Plan plan;
  plan.offered("edge-1");
  plan.say("edge-1", v1::TRIAL);
  plan.event("edge-1", Offline{});
  plan.now_ms += kDeadline;
  plan.event("edge-1", DeadlinePassed{});
  EXPECT_EQ(plan.state("edge-1"), v1::FAILED);
  EXPECT_EQ(plan.devices.at("edge-1").row.why().code(), v1::CODE_UNREACHABLE);
  EXPECT_EQ(plan.devices.at("edge-1").row.why().text(),
            "went offline during its trial, silent for 60 s; last heard: trial");
}

TEST(Rollout, AnOrderToWhoWentOfflineStands) {
  Plan plan(v1::KIND_STOP);
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.event("edge-1", Offline{});
  plan.now_ms += kDeadline;
  plan.event("edge-1", DeadlinePassed{});
  EXPECT_EQ(plan.state("edge-1"), v1::WAITING);
  EXPECT_EQ(plan.action<TakeBack>(), nullptr);
  plan.event("edge-1", Online{});
  EXPECT_NE(plan.action<Offer>(), nullptr);
}

TEST(Rollout, ALateHealthyCorrectsTheRowButNotTheVerdict) {
  Plan plan;
  plan.offered("edge-1");
  plan.now_ms += kDeadline;
  plan.event("edge-1", DeadlinePassed{});
  plan.say("edge-1", v1::HEALTHY);
  EXPECT_EQ(plan.state("edge-1"), v1::HEALTHY);
  EXPECT_EQ(plan.rollout.counts.healthy(), 1u);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_FALSE(plan.devices.at("edge-1").row.has_why());
}

TEST(Rollout, ANewerRolloutSupersedesWhatHasNotEnded) {
  Plan plan;
  plan.offered("edge-1");
  plan.event("edge-1", Superseded{"r-8"});
  EXPECT_EQ(plan.state("edge-1"), v1::SUPERSEDED);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUPERSEDED);
  plan.say("edge-1", v1::HEALTHY);
  EXPECT_EQ(plan.state("edge-1"), v1::SUPERSEDED) << "it belongs to the newer one now";
}

TEST(Rollout, WhatHasEndedIsNotSuperseded) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.say("edge-1", v1::HEALTHY);
  plan.event("edge-1", Superseded{"r-8"});
  EXPECT_EQ(plan.state("edge-1"), v1::HEALTHY);
}

TEST(Rollout, SupersededOnSomeIsNoSuccess) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.say("edge-1", v1::HEALTHY);
  plan.event("edge-2", Superseded{"r-8"});
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUPERSEDED);
}

TEST(Rollout, CalledOffTakesBackWhatHasNotEnded) {
  Plan plan;
  plan.offered("edge-1");
  plan.offered("edge-2");
  plan.join("edge-3", false);
  plan.say("edge-1", v1::HEALTHY);
  plan.rollout = abort(plan.rollout, "ana", plan.now_ms);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_ABORTED);
  EXPECT_EQ(plan.rollout.verdict, "dns 2: called off by ana with 1 of 3 devices done");
  plan.event("edge-1", Aborted{"ana"});
  EXPECT_EQ(plan.action<TakeBack>(), nullptr);
  plan.event("edge-2", Aborted{"ana"});
  EXPECT_NE(plan.action<TakeBack>(), nullptr);
  EXPECT_EQ(plan.state("edge-2"), v1::SUPERSEDED);
  plan.event("edge-3", Aborted{"ana"});
  EXPECT_EQ(plan.action<TakeBack>(), nullptr) << "it was never told";
  EXPECT_EQ(plan.state("edge-3"), v1::SUPERSEDED);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_ABORTED);
  EXPECT_EQ(abort(plan.rollout, "bob", plan.now_ms).verdict, plan.rollout.verdict);
}

TEST(Rollout, NobodyReachedEndsAtTheDeadline) {
  Plan plan;
  plan.join("edge-1", false);
  plan.after(kDeadline - 1);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING);
  plan.after(1);
  EXPECT_NE(plan.action<Ended>(), nullptr);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.verdict,
            "dns 2: none of 1 device was online within 60 s; push again when they are");
  plan.after(kDeadline);
  EXPECT_TRUE(plan.actions.empty()) << "it has ended already";
}

TEST(Rollout, TickLeavesARolloutWithABusyDeviceAlone) {
  Plan plan;
  plan.offered("edge-1");
  plan.after(10 * kDeadline);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING);
  EXPECT_TRUE(plan.actions.empty());
}

TEST(Rollout, PresenceAloneEndsNothing) {
  Plan plan;
  plan.join("edge-1", false);
  plan.event("edge-1", Offline{});
  EXPECT_TRUE(plan.actions.empty());
  plan.event("edge-1", Online{});
  EXPECT_EQ(plan.rollout.counts.waiting(), 1u);
  plan.event("edge-1", Offline{});
  EXPECT_EQ(plan.rollout.counts.offline(), 1u);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING);
}

TEST(Rollout, WhatAReportSaysIsShown) {
  Plan plan;
  plan.offered("edge-1");
  v1::Report report = plan.report("edge-1", v1::HEALTHY);
  report.set_detail("dns 3/3 in 4 ms");
  report.set_fetched_bytes(4096);
  report.add_steps()->set_step("fetch");
  report.mutable_status()->add_ports("53/udp");
  report.mutable_status()->mutable_instance()->set_monitor("qemu/tcg");
  plan.event("edge-1", Reported{report});
  const v1::RolloutDevice& row = plan.devices.at("edge-1").row;
  EXPECT_EQ(row.detail(), "dns 3/3 in 4 ms");
  EXPECT_EQ(row.fetched_bytes(), 4096u);
  EXPECT_EQ(row.steps_size(), 1);
  EXPECT_EQ(row.ports(0), "53/udp");
  EXPECT_EQ(row.monitor(), "qemu/tcg");
  EXPECT_EQ(row.live_release(), 2u);
}

TEST(Rollout, EveryStateHasAWord) {
  for (int i = v1::WAITING; i <= v1::REMOVED; ++i) {
    EXPECT_STRNE(word(static_cast<v1::DeviceState>(i)), "unknown") << i;
  }
  for (int i = v1::ROLLOUT_RUNNING; i <= v1::ROLLOUT_REVERTING; ++i) {
    EXPECT_STRNE(word(static_cast<v1::RolloutState>(i)), "unknown") << i;
  }
  EXPECT_STREQ(word(v1::DEVICE_STATE_UNSPECIFIED), "unknown");
  EXPECT_STREQ(word(v1::ROLLOUT_STATE_UNSPECIFIED), "unknown");
}

TEST(RolloutTest, ADeviceThatWaitsForItsWindowIsNotLateAndIsNotOffered) {
  Plan plan;
  plan.join("edge-1", true);
  plan.event("edge-1", Gated{true, true, "waits for its download window"});
  EXPECT_NE(plan.action<Offer>(), nullptr) << "it is told to wait";
  plan.event("edge-1", Offered{});
  EXPECT_EQ(plan.state("edge-1"), v1::WAITING);
  EXPECT_EQ(plan.devices["edge-1"].row.detail(), "waits for its download window");
  plan.event("edge-1", Gated{true, true, "waits for its download window"});
  EXPECT_TRUE(plan.actions.empty()) << "said once";

  plan.event("edge-1", Gated{false, true, "waits for its apply window"});
  plan.event("edge-1", Offered{});
  EXPECT_EQ(plan.state("edge-1"), v1::OFFERED);
  plan.say("edge-1", v1::STAGED);
  EXPECT_EQ(plan.devices["edge-1"].deadline_ms, 0) << "no verdict is due while it must wait";

  plan.now_ms += 3'600'000;
  plan.event("edge-1", Gated{});
  EXPECT_EQ(plan.devices["edge-1"].deadline_ms, plan.now_ms + kDeadline);
  plan.say("edge-1", v1::TRIAL);
  plan.event("edge-1", Gated{true, true, "closed"});
  EXPECT_EQ(plan.devices["edge-1"].deadline_ms, plan.now_ms + kDeadline)
      << "a trial goes on and has to end";
  plan.say("edge-1", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
}

}  // namespace
}  // namespace controller::rollout
