// Keeping things running: restarts, the watch, orders, restarts of the agent, no controller.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/fakes.h"

namespace {

using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;

class SuperviseTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  fleet::v1::Report verdict(const std::string& attempt) {
    const bool ended = device.run_until([&] { return device.ended(attempt); });
    EXPECT_TRUE(ended) << attempt << " has no verdict";
    return device.last(attempt);
  }
  std::size_t running() {
    const auto listed = device.launcher.list();
    return static_cast<std::size_t>(
        std::count_if(listed->begin(), listed->end(), [](const agent::Instance& one) {
          return one.state == agent::InstanceState::running;
        }));
  }
  void order(fleet::v1::DesiredRun run, const std::string& attempt) {
    auto wish = TestDevice::wish("dns", 1, attempt);
    wish.set_run(run);
    device.want(wish);
  }
  void go_back(std::uint64_t to, const std::string& attempt) {
    auto wish = TestDevice::wish("dns", to + 1, attempt);
    wish.set_fall_back(to);
    device.want(wish);
  }
  void end_guest() {
    for (agent::Instance& one : device.guests.instances) {
      one.state = agent::InstanceState::exited;
      one.exited_ms = static_cast<std::uint64_t>(device.clock.now_ms());
      one.wait_status = 1 << 8;
    }
  }

  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(SuperviseTest, AGuestThatEndsIsStartedAgainAndPortsFollowIt) {
  device.install(1, "a1");
  device.run_for(700'000);  // out of the watch
  end_guest();
  ASSERT_FALSE(device.launcher.serves());
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 5000));
  EXPECT_EQ(device.agent->apps().front().instance().restarts(), 1u);
  EXPECT_EQ(running(), 1u);
}

TEST_F(SuperviseTest, ACrashLoopUnderWatchGoesBackToTheOtherGoodSlot) {
  device.install(1, "a1");
  device.install(2, "a2");
  device.run_for(15'000);
  device.scripts[2].exits_after_ms = 100;
  const bool reverted =
      device.run_until([&] { return device.last("a2").state() == fleet::v1::REVERTED; });
  ASSERT_TRUE(reverted);
  EXPECT_EQ(device.last("a2").why().code(), fleet::v1::CODE_CRASH_LOOP);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 5000));
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(SuperviseTest, ARevertUnderWatchIsToldToAnotherAttemptThatWantsTheSame) {
  device.install(1, "a1");
  device.scripts[2].stops_answering_ms = 60'000;
  device.install(2, "a2");
  device.want(TestDevice::wish("dns", 2, "a3"));
  ASSERT_TRUE(device.run_until([&] { return device.ended("a3"); }));
  EXPECT_EQ(device.last("a3").state(), fleet::v1::HEALTHY);
  ASSERT_TRUE(
      device.run_until([&] { return device.last("a2").state() == fleet::v1::REVERTED; }));
  ASSERT_TRUE(device.run_until([&] { return device.last("a3").state() == fleet::v1::FAILED; }));
  EXPECT_EQ(device.last("a3").why().code(), fleet::v1::CODE_ROLLBACK);
  EXPECT_EQ(device.last("a3").status().live_release(), 1u);
}

TEST_F(SuperviseTest, FailingHealthUnderWatchGoesBackAndOutOfItRestarts) {
  device.install(1, "a1");
  device.scripts[2].stops_answering_ms = 60'000;
  device.install(2, "a2");
  ASSERT_TRUE(
      device.run_until([&] { return device.last("a2").state() == fleet::v1::REVERTED; }));
  EXPECT_EQ(device.last("a2").why().code(), fleet::v1::CODE_UNHEALTHY);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 5000));
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(SuperviseTest, OutOfTheWatchAnUnhealthyGuestIsRestartedAndStaysLive) {
  device.scripts[1].stops_answering_ms = 700'000;
  device.install(1, "a1");
  ASSERT_TRUE(device.run_until(
      [&] { return device.agent->apps().front().instance().restarts() == 1; }, 800'000));
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 5000));
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(SuperviseTest, StopStartAndRestartAreObeyedOnce) {
  device.install(1, "a1");
  order(fleet::v1::STOP, "s1");
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  device.run_for(60'000);
  EXPECT_EQ(running(), 0u);
  EXPECT_TRUE(device.guests.published.empty());
  order(fleet::v1::RUN, "s2");
  EXPECT_EQ(verdict("s2").state(), fleet::v1::HEALTHY);
  EXPECT_TRUE(device.launcher.serves());
  device.launcher.calls.clear();
  auto wish = TestDevice::wish("dns", 1, "s3");
  wish.set_restart_count(1);
  device.want(wish);
  EXPECT_EQ(verdict("s3").state(), fleet::v1::HEALTHY);
  device.run_for(30'000);
  EXPECT_EQ(std::count(device.launcher.calls.begin(), device.launcher.calls.end(), "start 1"), 1);
}

TEST_F(SuperviseTest, WhatIsStagedBesideAStoppedAppStopsWhatAWishBeforeHasStarted) {
  device.install(1, "a1");
  order(fleet::v1::STOP, "s1");
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  repository.add(make_manifest("dns", 2), "image 2");
  repository.add(make_manifest("dns", 3), "image 3");
  device.wire.cut_blobs_after = 1;  // the push to 3 gets nowhere fast
  device.want(TestDevice::wish("dns", 3, "a3"));
  ASSERT_TRUE(device.run_until([&] { return running() == 1; })) << "wanted to run, 1 does";
  device.wire.cut_blobs_after = 0;
  auto stage = TestDevice::wish("dns", 1, "a2");
  stage.set_run(fleet::v1::STOP);
  stage.set_stage_release(2);
  device.want(stage);
  EXPECT_TRUE(device.run_until([&] { return device.last("a2").state() == fleet::v1::STAGED; }));
  EXPECT_EQ(running(), 0u);
}

TEST_F(SuperviseTest, AStoppedAppStaysStoppedAfterARestartOfTheAgent) {
  device.install(1, "a1");
  order(fleet::v1::STOP, "s1");
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  device.stop();
  device.start();
  device.run_for(30'000);
  EXPECT_EQ(running(), 0u);
}

TEST_F(SuperviseTest, AStopIsToldWhenTheGuestIsGoneAndNotBefore) {
  device.install(1, "a1");
  device.launcher.refuses_stops = true;
  order(fleet::v1::STOP, "s1");
  device.run_for(60'000);
  EXPECT_FALSE(device.ended("s1"));
  EXPECT_EQ(running(), 1u);
  device.launcher.refuses_stops = false;
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  EXPECT_EQ(running(), 0u);
}

TEST_F(SuperviseTest, AWishThatComesInTheMiddleOfARestartIsNotAnsweredByIt) {
  device.install(1, "a1");
  repository.add(make_manifest("dns", 2), "image 2");
  device.launcher.refuses_stops = true;
  auto restart = TestDevice::wish("dns", 1, "s1");
  restart.set_restart_count(1);
  device.want(restart);
  device.run_for(1000);
  device.want(TestDevice::wish("dns", 2, "a2"));
  device.run_for(1000);
  device.launcher.refuses_stops = false;
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.live_release("dns"), 2u);
}

TEST_F(SuperviseTest, AStopEndsWhatIsDrained) {
  device.install(1, "a1");
  device.install(2, "a2");
  ASSERT_EQ(running(), 2u);
  order(fleet::v1::STOP, "s1");
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  EXPECT_EQ(running(), 0u);
}

TEST_F(SuperviseTest, RemoveForgetsTheAppButNotItsHighestNumber) {
  device.install(1, "a1");
  order(fleet::v1::REMOVE, "s1");
  EXPECT_EQ(verdict("s1").state(), fleet::v1::REMOVED);
  device.run_for(10'000);
  EXPECT_EQ(running(), 0u);
  EXPECT_EQ(device.live_release("dns"), 0u);
  device.want(TestDevice::wish("dns", 1, "a2"));
  EXPECT_EQ(verdict("a2").why().code(), fleet::v1::CODE_ROLLBACK);
}

TEST_F(SuperviseTest, GoingBackInsideTheWindowLosesNothing) {
  device.install(1, "a1");
  device.install(2, "a2");
  device.run_for(30'000);
  bool always = true;
  device.after_each_event = [&] { always = always && device.launcher.serves(); };
  go_back(1, "b1");
  const auto report = verdict("b1");
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(report.release(), 1u);
  device.run_for(20'000);
  EXPECT_TRUE(always);
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_EQ(running(), 1u);
}

TEST_F(SuperviseTest, WhatWasLeftByGoingBackGivesItsRoomBack) {
  device.install(1, "a1");
  device.install(2, "a2");
  const auto blobs = [this] { return device.disk->list("blobs")->size(); };
  EXPECT_EQ(blobs(), 4u) << "two images, two manifests";
  go_back(1, "b1");
  EXPECT_EQ(verdict("b1").state(), fleet::v1::HEALTHY);
  device.run_for(120'000);
  EXPECT_EQ(blobs(), 2u);
}

TEST_F(SuperviseTest, GoingBackOutsideTheWindowIsHeldAndChangesNothing) {
  device.install(1, "a1");
  auto manifest = make_manifest("dns", 2);
  manifest.mutable_update()->set_fallback_window_ms(60'000);
  repository.add(manifest, "image 2");
  device.want(TestDevice::wish("dns", 2, "a2"));
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  device.run_for(61'000);
  go_back(1, "b1");
  const auto report = verdict("b1");
  EXPECT_EQ(report.state(), fleet::v1::HELD);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_FALLBACK);
  EXPECT_EQ(device.live_release("dns"), 2u);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(SuperviseTest, WithoutAnotherGoodSlotGoingBackIsHeld) {
  device.install(1, "a1");
  go_back(7, "b1");
  EXPECT_EQ(verdict("b1").why().code(), fleet::v1::CODE_NO_FALLBACK);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(SuperviseTest, ARestartedAgentAdoptsWhatRunsAndStartsNothingTwice) {
  device.install(1, "a1");
  device.run_for(5000);
  const std::string id = device.guests.instances.front().id;
  device.stop();
  ASSERT_TRUE(device.launcher.serves()) << "guests survive their agent";
  device.launcher.calls.clear();
  device.start();
  device.run_for(30'000);
  ASSERT_EQ(device.guests.instances.size(), 1u);
  EXPECT_EQ(device.guests.instances.front().id, id);
  EXPECT_TRUE(device.launcher.serves());
  EXPECT_EQ(device.reports().size(), 5u) << "an adopted guest is no news";
}

TEST_F(SuperviseTest, AfterARestartOfTheHostItCarriesOnByStoredStateWithoutAController) {
  device.install(1, "a1");
  device.install(2, "a2");
  device.stop();
  device.guests = {};
  device.guests.boot_ms = 2;
  device.machine.boot_id = "boot-2";
  repository.files.clear();
  device.start();
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 10'000));
  EXPECT_EQ(device.live_release("dns"), 2u);
  EXPECT_EQ(running(), 1u);
}

TEST_F(SuperviseTest, AnAdoptedTrialGoesOnWithTheRestOfItsDeadline) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  repository.add(make_manifest("dns", 2), "image 2");
  device.want(TestDevice::wish("dns", 2, "a2"));
  ASSERT_TRUE(device.run_until([&] { return running() == 2; }));
  const std::int64_t began = device.clock.now_ms();
  device.run_for(6000);
  device.stop();
  device.launcher.calls.clear();
  device.start();
  EXPECT_EQ(verdict("a2").state(), fleet::v1::REVERTED);
  EXPECT_LT(device.clock.now_ms() - began, 12'000);
  EXPECT_EQ(std::count(device.launcher.calls.begin(), device.launcher.calls.end(), "start 2"), 0);
}

TEST_F(SuperviseTest, PowerCutsInATrialUseItsTriesUp) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  repository.add(make_manifest("dns", 2), "image 2");
  device.want(TestDevice::wish("dns", 2, "a2"));
  for (int boot = 2; boot <= 4 && !device.ended("a2"); ++boot) {
    device.run_until([&] { return running() == 2 || device.ended("a2"); });
    if (device.ended("a2")) break;
    device.stop();
    device.guests = {};
    device.guests.boot_ms = static_cast<std::uint64_t>(boot);
    device.machine.boot_id = "boot-" + std::to_string(boot);
    device.start();
  }
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::REVERTED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_TRIES_USED_UP);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 10'000));
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(SuperviseTest, ATrialWhoseLauncherDiesIsStartedAgainAndCostsATry) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = 3000;
  repository.add(make_manifest("dns", 2), "image 2");
  device.want(TestDevice::wish("dns", 2, "a2"));
  const auto both_run = [&] { return running() == 2; };
  ASSERT_TRUE(device.run_until(both_run));
  device.guests = {};
  device.guests.boot_ms = 2;
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_TRUE(device.launcher.serves());
  ASSERT_TRUE(device.run_until([&] { return running() == 1; })) << "the old one drains";

  device.scripts[3].answers_after_ms = 3000;
  repository.add(make_manifest("dns", 3), "image 3");
  device.want(TestDevice::wish("dns", 3, "a3"));
  for (std::uint64_t boot = 3; boot < 5; ++boot) {
    ASSERT_TRUE(device.run_until(both_run));
    device.guests = {};
    device.guests.boot_ms = boot;
    device.run_for(1500);
  }
  const auto report = verdict("a3");
  EXPECT_EQ(report.state(), fleet::v1::REVERTED) << "two tries, two deaths";
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_LAUNCHER);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 5000));
}

TEST_F(SuperviseTest, ARepeatedOrLowerGenerationChangesNothing) {
  device.install(1, "a1");
  const std::size_t before = device.reports().size();
  fleet::v1::Desired old;
  old.set_generation(1);
  *old.add_apps() = TestDevice::wish("dns", 9, "x");
  ASSERT_TRUE(device.agent->take(old).has_value());
  device.run_for(20'000);
  EXPECT_EQ(device.reports().size(), before);
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(SuperviseTest, AWishThatIsSaidNoMoreEndsWhatIsUnderWayAndLeavesWhatRuns) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  repository.add(make_manifest("dns", 2), "image 2");
  device.want(TestDevice::wish("dns", 2, "a2"));
  ASSERT_TRUE(device.run_until([&] { return device.last("a2").state() == fleet::v1::TRIAL; }));
  device.want_nothing();
  EXPECT_EQ(verdict("a2").state(), fleet::v1::SUPERSEDED);
  device.run_for(15'000);
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_TRUE(device.launcher.serves());
  EXPECT_EQ(running(), 1u);
}

TEST_F(SuperviseTest, ATrialThatNobodyWantsAfterAStartIsTakenBack) {
  device.scripts[1].answers_after_ms = -1;
  repository.add(make_manifest("dns", 1), "image 1");
  device.want(TestDevice::wish("dns", 1, "a1"));
  ASSERT_TRUE(device.run_until([&] { return device.last("a1").state() == fleet::v1::TRIAL; }));
  fleet::v1::Desired nothing;
  nothing.set_generation(device.generation() + 1);
  ASSERT_TRUE(device.state->store_desired(nothing).has_value());  // the agent ends before it acts
  device.stop();
  device.start();
  EXPECT_EQ(verdict("a1").state(), fleet::v1::SUPERSEDED);
  device.run_for(15'000);
  EXPECT_EQ(running(), 0u);
}

}  // namespace
