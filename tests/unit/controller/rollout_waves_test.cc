// Waves, soaks, thresholds and going back, in the pure engine.
#include <string>
#include <vector>

#include "tests/unit/controller/rollout_plan.h"

namespace controller::rollout {
namespace {

TEST(RolloutWaves, OnlyTheFirstIsLetIn) {
  Waves plan({1, 2, 3});
  EXPECT_TRUE(plan.is_let_in(1));
  for (int i = 2; i <= 6; ++i) EXPECT_FALSE(plan.is_let_in(i)) << i;
  EXPECT_EQ(plan.rollout.waves.size(), 3u);
  EXPECT_EQ(plan.rollout.waves[1].counts().devices(), 2u);
  EXPECT_EQ(plan.rollout.waves[1].counts().waiting(), 2u);
}

TEST(RolloutWaves, TheNextOpensWhenTheOneBeforeHasSoaked) {
  Waves plan({1, 2});
  plan.say("edge-01", v1::HEALTHY);
  ASSERT_NE(plan.told("rollout.wave_ended"), nullptr);
  EXPECT_EQ(plan.told("rollout.wave_ended")->text,
            "r-7: wave 1 has ended, the next one opens in 30s");
  EXPECT_EQ(plan.rollout.soak_until_ms, plan.now_ms + kSoak);
  plan.after(kSoak - 1);
  EXPECT_FALSE(plan.is_let_in(2));
  EXPECT_TRUE(plan.actions.empty()) << "said once";
  plan.after(1);
  EXPECT_NE(plan.told("rollout.wave_opened"), nullptr);
  EXPECT_TRUE(plan.is_let_in(2));
  EXPECT_TRUE(plan.is_let_in(3));
  EXPECT_EQ(plan.rollout.soak_until_ms, 0);
  plan.say_all(2, 3, v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(plan.rollout.verdict, "dns 2 is live on 3 of 3 devices");
}

TEST(RolloutWaves, WithoutASoakTheyFollowAtOnce) {
  Waves plan({1, 1});
  plan.rollout.policy.set_soak_ms(0);
  plan.say("edge-01", v1::HEALTHY);
  EXPECT_TRUE(plan.is_let_in(2));
}

TEST(RolloutWaves, ASoakIsATimeThatOutlivesTheController) {
  Waves plan({1, 1});
  plan.say("edge-01", v1::HEALTHY);
  Rollout read;
  from_api(to_api(plan.rollout), read);
  EXPECT_EQ(read.soak_until_ms, plan.rollout.soak_until_ms);
  EXPECT_EQ(read.wave, 1u);
  EXPECT_EQ(read.waves.size(), 2u);
  EXPECT_EQ(to_api(read).waves(1).counts().devices(), 1u);
  EXPECT_EQ(read.policy.soak_ms(), static_cast<std::uint64_t>(kSoak));
}

TEST(RolloutWaves, WhoIsOfflineIsNotWaitedForAndJoinsItsOpenWaveOnReturn) {
  Waves plan({2, 1});
  plan.event("edge-02", Offline{});
  plan.say("edge-01", v1::HEALTHY);
  EXPECT_NE(plan.rollout.soak_until_ms, 0);
  plan.after(kSoak);
  EXPECT_EQ(plan.rollout.wave, 2u);
  plan.event("edge-02", Online{});
  EXPECT_TRUE(plan.is_let_in(2)) << "its wave is open";
  plan.say("edge-03", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING) << "one of an earlier wave is under way";
  plan.say("edge-02", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
}

TEST(RolloutWaves, ADeviceThatReturnsInASoakHoldsTheNextWaveUp) {
  Waves plan({2, 1});
  plan.event("edge-02", Offline{});
  plan.say("edge-01", v1::HEALTHY);
  plan.event("edge-02", Online{});
  plan.after(kSoak);
  EXPECT_EQ(plan.rollout.wave, 1u);
  plan.say("edge-02", v1::HEALTHY);
  EXPECT_EQ(plan.rollout.wave, 2u) << "the soak is over already";
}

TEST(RolloutWaves, AWaveThatNobodyOfIsThereIsPassedAfterTheDeadline) {
  Waves plan({1, 1});
  plan.event("edge-01", Offline{});
  plan.after(kDeadline - 1);
  EXPECT_EQ(plan.rollout.wave, 1u);
  plan.after(1);
  EXPECT_EQ(plan.rollout.wave, 2u);
  EXPECT_TRUE(plan.is_let_in(2));
}

TEST(RolloutWaves, AllOfflineEndsAtTheDeadlineOfTheFirst) {
  Waves plan({1, 1});
  plan.event("edge-01", Offline{});
  plan.event("edge-02", Offline{});
  plan.after(kDeadline);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.verdict,
            "dns 2: none of 2 devices was online within 60 s; push again when they are");
}

TEST(RolloutWaves, AFirstWaveOfOneStopsAtAFaultOfTheImage) {
  Waves plan({1, 4});
  plan.fails(1, "a41c09f2");
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED) << "nobody else has it: it ends at once";
  EXPECT_NE(plan.told("rollout.halted"), nullptr);
  EXPECT_EQ(plan.rollout.halted_why,
            "the image fails alike on 1 device (a41c09f2): no answer: dns, 0 of 18 probes");
  for (int i = 2; i <= 5; ++i) EXPECT_FALSE(plan.is_let_in(i));
  plan.after(100 * kSoak);
  EXPECT_EQ(plan.rollout.wave, 1u);
}

TEST(RolloutWaves, AFirstWaveWithoutAnybodyHealthyOpensNoOther) {
  Waves plan({1, 20});
  plan.fails(1, "", v1::CODE_NO_MEMORY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.halted_why, "wave 1 ended and nobody of it is healthy");
}

TEST(RolloutWaves, AFirstWaveThatFallsIllInItsSoakOpensNoOther) {
  Waves plan({1, 20});
  plan.say("edge-01", v1::HEALTHY);
  plan.fails(1, "", v1::CODE_UPLINK_LOST);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.soak_until_ms, 0);
}

TEST(RolloutWaves, OneOfTwoIsNoTrend) {
  Waves plan({2, 2});
  plan.fails(1, "a41c09f2");
  plan.say("edge-02", v1::HEALTHY);
  EXPECT_TRUE(plan.rollout.halted_why.empty()) << "50% failed, but of two";
  plan.after(kSoak);
  EXPECT_EQ(plan.rollout.wave, 2u);
  plan.say_all(3, 4, v1::HEALTHY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED) << "at the end 1 of 4 is above 10%";
  EXPECT_EQ(plan.rollout.verdict, "dns 2: 3 healthy, 1 reverted; first: edge-01 reverted: "
                                  "no answer: dns, 0 of 18 probes");
}

TEST(RolloutWaves, ThePercentageIsOfAllDevicesAndExact) {
  Waves plan({10, 10}, v1::REVERT, 1);
  plan.say_all(1, 8, v1::HEALTHY);
  plan.fails(9, "", v1::CODE_NO_MEMORY);
  plan.fails(10, "", v1::CODE_NO_SPACE);
  EXPECT_TRUE(plan.rollout.halted_why.empty()) << "2 of 20 is not above 10%";
  plan.after(kSoak);
  plan.fails(11, "", v1::CODE_NO_SPACE);
  EXPECT_EQ(plan.rollout.halted_why, "3 of 20 devices failed; max_failed is 10%");
}

TEST(RolloutWaves, WithinTheThresholdItSucceedsAndSaysSo) {
  Waves plan({10});
  plan.say_all(1, 9, v1::HEALTHY);
  plan.fails(10, "", v1::CODE_NO_MEMORY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_SUCCEEDED);
  EXPECT_EQ(plan.rollout.verdict,
            "dns 2 is live on 9 of 10 devices; 1 reverted (within max_failed 10%)");
}

TEST(RolloutWaves, WithoutAnybodyHealthyItNeverSucceeds) {
  Waves plan({1, 99});
  for (int i = 2; i <= 99; ++i) plan.event(Waves::name(i), Offline{});
  plan.event("edge-100", Offline{});
  plan.rollout.wave = 2;  // as a person may have wanted it
  plan.fails(1, "", v1::CODE_NO_MEMORY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED) << "1 of 100 is within 10%, but all there is";
}

TEST(RolloutWaves, TheSameFaultOfTheImageStopsSoonerThanThePercentage) {
  Waves plan({80}, v1::KEEP);
  plan.say_all(1, 20, v1::HEALTHY);
  for (int i = 21; i <= 24; ++i) plan.fails(i, "a41c09f2");
  EXPECT_TRUE(plan.rollout.halted_why.empty());
  plan.fails(25, "other");
  EXPECT_TRUE(plan.rollout.halted_why.empty()) << "5 of 80, not alike";
  plan.fails(26, "a41c09f2");
  EXPECT_EQ(plan.rollout.halted_why,
            "the image fails alike on 5 devices (a41c09f2): no answer: dns, 0 of 18 probes");
  ASSERT_EQ(plan.rollout.faults.size(), 2u);
  EXPECT_EQ(to_api(plan.rollout).faults(0).devices(), 5u) << "shown as one";
  EXPECT_EQ(to_api(plan.rollout).faults(0).cause(), v1::CAUSE_IMAGE);
}

TEST(RolloutWaves, AFaultOfDevicesDoesNot) {
  Waves plan({80}, v1::KEEP);
  for (int i = 1; i <= 8; ++i) plan.fails(i, "", v1::CODE_NO_MEMORY);
  EXPECT_TRUE(plan.rollout.halted_why.empty());
  ASSERT_EQ(plan.rollout.faults.size(), 1u);
  EXPECT_EQ(plan.rollout.faults[0].cause(), v1::CAUSE_DEVICE);
  plan.fails(9, "", v1::CODE_NO_MEMORY);
  EXPECT_EQ(plan.rollout.halted_why, "9 of 80 devices failed; max_failed is 10%");
}

TEST(RolloutWaves, AboveTheThresholdWhoTookItGoesBack) {
  Waves plan({6, 4});
  plan.say_all(1, 3, v1::HEALTHY);
  plan.say("edge-04", v1::TRIAL);
  plan.event("edge-05", Offered{});
  plan.fails(6, "", v1::CODE_NO_SPACE);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_RUNNING);
  plan.event("edge-03", Offline{});
  plan.fails(5, "", v1::CODE_NO_MEMORY);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_REVERTING);
  ASSERT_NE(plan.action<GoBack>(), nullptr);
  EXPECT_EQ(plan.action<GoBack>()->release, 1u);
  for (const int number : {1, 2, 4}) {
    EXPECT_EQ(plan.state(Waves::name(number)), v1::OFFERED) << number;
    EXPECT_EQ(plan.devices.at(Waves::name(number)).row.going_back_to(), 1u);
  }
  EXPECT_EQ(plan.state("edge-03"), v1::WAITING) << "it is told on its return";
  EXPECT_EQ(plan.rollout.counts.offline(), 1u);

  for (const int number : {1, 2, 4}) {
    v1::Report said = plan.report(Waves::name(number), v1::HEALTHY);
    said.set_release(2);
    plan.event(Waves::name(number), Reported{said});
    EXPECT_EQ(plan.state(Waves::name(number)), v1::OFFERED) << "that is what it was to leave";
    said.set_release(1);
    plan.event(Waves::name(number), Reported{said});
    EXPECT_EQ(plan.state(Waves::name(number)), v1::REVERTED);
    EXPECT_NE(plan.action<KeepRunning>(), nullptr);
  }
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(plan.rollout.verdict,
            "dns 2: 0 healthy, 5 reverted, 4 not let in, 1 offline; stopped: 2 of 10 devices "
            "failed; max_failed is 10%; first: edge-06 reverted: no answer: dns, 0 of 18 probes");
  plan.event("edge-03", Online{});
  EXPECT_NE(plan.action<Offer>(), nullptr);
  plan.event("edge-03", Offered{});
  EXPECT_EQ(plan.state("edge-03"), v1::OFFERED);
}

TEST(RolloutWaves, WhoIsLateGoesBackTooAndNobodyWaitsForIt) {
  Waves plan({3, 4}, v1::REVERT, 2);
  plan.event("edge-01", Offered{});
  plan.now_ms += kDeadline;
  plan.event("edge-01", DeadlinePassed{});
  EXPECT_EQ(plan.state("edge-01"), v1::FAILED);
  EXPECT_EQ(plan.action<GoBack>(), nullptr) << "it may still go well";
  plan.fails(2, "", v1::CODE_NO_SPACE);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
  ASSERT_NE(plan.action<GoBack>(), nullptr);
  EXPECT_EQ(plan.action<GoBack>()->release, 1u);
  EXPECT_EQ(plan.state("edge-01"), v1::FAILED);
  EXPECT_EQ(plan.devices.at("edge-02").row.going_back_to(), 0u) << "it is back by itself";
  v1::Report said = plan.report("edge-01", v1::HEALTHY);
  plan.event("edge-01", Reported{said});
  EXPECT_EQ(plan.state("edge-01"), v1::FAILED) << "that is what it was to leave";
  said.set_release(1);
  plan.event("edge-01", Reported{said});
  EXPECT_EQ(plan.state("edge-01"), v1::REVERTED);
  EXPECT_NE(plan.action<KeepRunning>(), nullptr);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(RolloutWaves, WhoHasNothingToGoBackToIsHeld) {
  Waves plan({2, 4}, v1::REVERT, 1);
  plan.back_to = 0;
  plan.say("edge-01", v1::HEALTHY);
  plan.fails(2, "a41c09f2");
  EXPECT_EQ(plan.state("edge-01"), v1::HELD);
  EXPECT_EQ(plan.devices.at("edge-01").row.why().code(), v1::CODE_NO_FALLBACK);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(RolloutWaves, TheDeviceItselfMaySayThatItCannotGoBack) {
  Waves plan({2, 4}, v1::REVERT, 1);
  plan.say("edge-01", v1::HEALTHY);
  plan.fails(2, "a41c09f2");
  plan.say("edge-01", v1::HELD);
  EXPECT_EQ(plan.state("edge-01"), v1::HELD);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

TEST(RolloutWaves, AGoingBackWithoutAnAnswerEndsByItsDeadline) {
  Waves plan({2, 4}, v1::REVERT, 1);
  plan.say("edge-01", v1::HEALTHY);
  plan.fails(2, "a41c09f2");
  ASSERT_EQ(plan.rollout.state, v1::ROLLOUT_REVERTING);
  plan.now_ms += kDeadline;
  plan.event("edge-01", DeadlinePassed{});
  EXPECT_EQ(plan.state("edge-01"), v1::FAILED);
  EXPECT_EQ(plan.rollout.state, v1::ROLLOUT_FAILED);
}

}  // namespace
}  // namespace controller::rollout
