// The warm spare: when there is one, when it takes over, and that it hides nothing.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/fakes.h"

namespace {

using agent::Instance;
using agent::InstanceState;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::uint64_t kOutOfWatchMs = 700'000;

class SpareTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  static fleet::v1::AppManifest warm(std::uint64_t release) {
    auto manifest = make_manifest("dns", release);
    manifest.mutable_restart()->set_spare(fleet::v1::SPARE_WARM);
    return manifest;
  }
  void want(const fleet::v1::AppManifest& manifest, const std::string& attempt) {
    repository.add(manifest, "image " + std::to_string(manifest.release()));
    device.want(TestDevice::wish("dns", manifest.release(), attempt));
  }
  void install(const fleet::v1::AppManifest& manifest, const std::string& attempt) {
    want(manifest, attempt);
    ASSERT_EQ(verdict(attempt).state(), fleet::v1::HEALTHY) << device.last(attempt).why().text();
    ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }, 5000));
  }
  fleet::v1::Report verdict(const std::string& attempt) {
    EXPECT_TRUE(device.run_until([&] { return device.ended(attempt); })) << "no verdict";
    return device.last(attempt);
  }
  void order(fleet::v1::DesiredRun run, const std::string& attempt) {
    auto wish = TestDevice::wish("dns", 1, attempt);
    wish.set_run(run);
    device.want(wish);
  }
  Instance* spare() {
    for (Instance& one : device.guests.instances) {
      if (one.state == InstanceState::running && !one.ports_up) return &one;
    }
    return nullptr;
  }
  // To which the published port leads.
  Instance* live() {
    for (Instance& one : device.guests.instances) {
      for (const agent::PublishedPort& port : device.guests.published) {
        if (one.interfaces.at(0).address == port.guest_address) return &one;
      }
    }
    return nullptr;
  }
  void end(Instance* one, int status = 1) {
    one->state = InstanceState::exited;
    one->exited_ms = static_cast<std::uint64_t>(device.clock.now_ms());
    one->wait_status = status << 8;
  }
  std::size_t running() {
    return static_cast<std::size_t>(
        std::count_if(device.guests.instances.begin(), device.guests.instances.end(),
                      [](const Instance& one) { return one.state == InstanceState::running; }));
  }
  std::size_t calls(const std::string& call) {
    const auto& all = device.launcher.calls;
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), call));
  }
  fleet::v1::AppStatus status() { return device.agent->apps().front(); }
  // Until the published port is answered, at most one look of the agent later.
  bool serves_soon() {
    return device.run_until([&] { return device.launcher.serves(); }, 1100);
  }

  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(SpareTest, ATagSaysThatAGuestIsASpare) {
  const agent::GuestTag tag{"dns", ota::SlotName::b, 7, "a7", "spt", true};
  const auto back = agent::read_tag(agent::write_tag(tag));
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->spare);
  EXPECT_EQ(back->monitor, "spt");
  EXPECT_FALSE(agent::read_tag("dns B 7 a7 spt")->spare);
  EXPECT_FALSE(agent::read_tag("dns B 7 a7 spt other"));
}

TEST_F(SpareTest, BehindAHealthyGuestASpareWaitsWithItsPortsDown) {
  want(warm(1), "a1");
  ASSERT_TRUE(device.run_until([&] { return running() == 1; }));
  EXPECT_EQ(spare(), nullptr) << "the trial has none";
  EXPECT_EQ(verdict("a1").state(), fleet::v1::HEALTHY);
  ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }, 5000));
  EXPECT_FALSE(status().spare().healthy()) << "it boots";
  device.run_for(3000);
  EXPECT_TRUE(status().spare().healthy());
  EXPECT_EQ(status().spare().id(), spare()->id);
  EXPECT_NE(status().spare().address(), status().instance().address());
  EXPECT_EQ(status().instance().id(), live()->id);
  device.run_for(60'000);
  EXPECT_EQ(running(), 2u);
  EXPECT_EQ(calls("start 1"), 2u);
}

TEST_F(SpareTest, ABusySpareIsStillBooting) {
  install(warm(1), "a1");
  for (int i = 0; i < 10; ++i) {
    spare()->cpu_ms += 900;
    device.run_for(1000);
  }
  EXPECT_FALSE(status().spare().healthy());
  device.run_for(3000);
  EXPECT_TRUE(status().spare().healthy());
}

TEST_F(SpareTest, WhenTheLiveGuestEndsTheSpareAnswersAndAnotherIsStartedLater) {
  install(warm(1), "a1");
  device.run_for(5000);
  const std::string next = spare()->id;
  device.launcher.calls.clear();
  end(live());
  ASSERT_FALSE(device.launcher.serves());
  EXPECT_TRUE(serves_soon());
  EXPECT_EQ(live()->id, next);
  EXPECT_EQ(calls("start 1"), 0u) << "it was there already";
  EXPECT_EQ(calls("flush 1"), 1u) << "clients with a fixed port are moved";
  EXPECT_TRUE(status().instance().took_over());
  EXPECT_EQ(status().instance().restarts(), 1u) << "an end is an end";
  EXPECT_TRUE(device.run_until([&] { return spare() != nullptr; }, 5000));
  device.run_for(10'000);
  EXPECT_EQ(running(), 2u);
  EXPECT_EQ(device.guests.instances.size(), 2u) << "the dead one is forgotten";
  EXPECT_EQ(status().state(), fleet::v1::HEALTHY);
}

TEST_F(SpareTest, TheNextSpareWaitsAsLongAsARestartWould) {
  install(warm(1), "a1");
  device.run_for(kOutOfWatchMs);
  for (int i = 0; i < 5; ++i) {  // the fifth within ten minutes is a crash loop
    ASSERT_TRUE(device.run_until([&] { return live() != nullptr && spare() != nullptr; }));
    end(live());
    ASSERT_TRUE(serves_soon());
  }
  const std::int64_t ended_ms = device.clock.now_ms();
  EXPECT_EQ(status().instance().restarts(), 5u);
  ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }));
  EXPECT_GE(device.clock.now_ms() - ended_ms, 28'000) << "the longest back-off";
}

TEST_F(SpareTest, UnderWatchACrashLoopGoesBackInSpiteOfSpares) {
  install(warm(1), "a1");
  install(warm(2), "a2");
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(device.run_until([&] {
      return device.last("a2").state() == fleet::v1::REVERTED ||
             (live() != nullptr && device.launcher.serves());
    }));
    end(live());
    device.run_for(2000);
  }
  EXPECT_EQ(device.last("a2").state(), fleet::v1::REVERTED);
  EXPECT_EQ(device.last("a2").why().code(), fleet::v1::CODE_CRASH_LOOP);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves() && running() == 2; }));
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_EQ(agent::read_tag(spare()->tag)->release, 1u) << "no spare of what failed";
}

TEST_F(SpareTest, ASilentGuestIsRelievedOutOfTheWatchAndTakesTheReleaseAlongUnderIt) {
  install(warm(1), "a1");
  device.run_for(kOutOfWatchMs);
  const std::string next = spare()->id;
  device.launcher.silent.insert(live()->id);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 10'000));
  EXPECT_EQ(live()->id, next);
  EXPECT_EQ(status().instance().restarts(), 1u);
  ASSERT_TRUE(device.run_until([&] { return running() == 2; })) << "the silent one is stopped";
  install(warm(2), "a2");
  device.launcher.silent.insert(live()->id);
  ASSERT_TRUE(device.run_until([&] { return device.last("a2").state() == fleet::v1::REVERTED; }));
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 5000));
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(SpareTest, ASpareThatEndsIsStartedAgainWithBackOffAndIsNoRestartOfTheApp) {
  install(warm(1), "a1");
  std::int64_t longest_ms = 0;
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }));
    end(spare());
    const std::int64_t ended_ms = device.clock.now_ms();
    ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }));
    longest_ms = std::max(longest_ms, device.clock.now_ms() - ended_ms);
    EXPECT_TRUE(device.launcher.serves());
  }
  EXPECT_GE(longest_ms, 28'000) << "as long as after a crash loop";
  EXPECT_EQ(status().instance().restarts(), 0u);
  EXPECT_EQ(device.guests.instances.size(), 2u);
  EXPECT_EQ(device.last("a1").state(), fleet::v1::HEALTHY);
}

TEST_F(SpareTest, ARestartedAgentKnowsItsSpareAgain) {
  install(warm(1), "a1");
  device.run_for(3000);
  const std::string waiting = spare()->id;
  device.stop();
  device.launcher.calls.clear();
  device.start();
  device.run_for(30'000);
  EXPECT_EQ(spare()->id, waiting);
  EXPECT_EQ(calls("start 1"), 0u);
  // The live one ends while no agent is there to see it.
  device.stop();
  end(live());
  device.start();
  EXPECT_TRUE(serves_soon());
  EXPECT_EQ(live()->id, waiting);
  ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }));
  // What took over is the live one for the next agent, though its tag says spare.
  device.stop();
  device.launcher.calls.clear();
  device.start();
  device.run_for(30'000);
  EXPECT_EQ(live()->id, waiting);
  EXPECT_TRUE(status().instance().took_over());
  EXPECT_EQ(running(), 2u);
  EXPECT_EQ(calls("start 1"), 0u);
}

TEST_F(SpareTest, AnAgentKilledInATakeOverKeepsTheOneThatTookOver) {
  install(warm(1), "a1");
  device.run_for(kOutOfWatchMs);
  const std::string next = spare()->id;
  const std::string old = live()->id;
  device.stop();
  spare()->ports_up = true;  // and no further
  device.start();
  device.run_for(10'000);
  EXPECT_TRUE(device.launcher.serves());
  EXPECT_EQ(status().instance().id(), next);
  EXPECT_EQ(running(), 2u);
  for (const Instance& one : device.guests.instances) EXPECT_NE(one.id, old);
}

TEST_F(SpareTest, AnUpdateLosesNothingAndLeavesNoSpareOfTheOldRelease) {
  install(warm(1), "a1");
  device.run_for(3000);
  bool always = true;
  device.after_each_event = [&] { always = always && device.launcher.serves(); };
  install(warm(2), "a2");
  device.run_for(20'000);
  EXPECT_TRUE(always);
  EXPECT_EQ(running(), 2u);
  EXPECT_EQ(agent::read_tag(live()->tag)->release, 2u);
  EXPECT_EQ(agent::read_tag(spare()->tag)->release, 2u);
  auto back = TestDevice::wish("dns", 3, "b1");
  back.set_fall_back(1);
  device.want(back);
  EXPECT_EQ(verdict("b1").state(), fleet::v1::HEALTHY);
  device.run_for(20'000);
  EXPECT_TRUE(always);
  EXPECT_EQ(running(), 2u);
  EXPECT_EQ(agent::read_tag(spare()->tag)->release, 1u);
  // The next one wants no spare.
  want(make_manifest("dns", 3), "a3");
  EXPECT_EQ(verdict("a3").state(), fleet::v1::HEALTHY);
  device.run_for(20'000);
  EXPECT_TRUE(always);
  EXPECT_EQ(running(), 1u);
  device.after_each_event = nullptr;
}

TEST_F(SpareTest, ATrialWithoutRoomGetsTheSparesAndTheSpareWaitsForMemory) {
  install(warm(1), "a1");
  device.machine.memory_free = 63 * proto::kMiB;  // less than 16 and its monitor's 48
  std::size_t most = 0;
  device.after_each_event = [&] { most = std::max(most, running()); };
  want(warm(2), "a2");
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY) << device.last("a2").why().text();
  device.run_for(60'000);
  device.after_each_event = nullptr;
  EXPECT_EQ(most, 2u) << "never three at once";
  EXPECT_EQ(running(), 1u);
  device.machine.memory_free = 64 * proto::kMiB;
  EXPECT_TRUE(device.run_until([&] { return spare() != nullptr; }));
}

TEST_F(SpareTest, MemoryForBothIsAskedBeforeTheFirstByte) {
  device.machine.memory_free = 31 * proto::kMiB;
  want(warm(1), "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_MEMORY);
  EXPECT_NE(report.why().text().find("needs 32 MiB with its warm spare"), std::string::npos)
      << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, 0u);
}

TEST_F(SpareTest, StopAndRemoveLeaveNothingBehind) {
  install(warm(1), "a1");
  order(fleet::v1::STOP, "s1");
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  EXPECT_EQ(running(), 0u) << "when it is said, it is so";
  device.run_for(30'000);
  EXPECT_TRUE(device.guests.instances.empty());
  order(fleet::v1::RUN, "s2");
  EXPECT_EQ(verdict("s2").state(), fleet::v1::HEALTHY);
  ASSERT_TRUE(device.run_until([&] { return spare() != nullptr; }));
  order(fleet::v1::REMOVE, "s3");
  EXPECT_EQ(verdict("s3").state(), fleet::v1::REMOVED);
  device.run_for(30'000);
  EXPECT_TRUE(device.guests.instances.empty());
  EXPECT_TRUE(device.guests.published.empty());
}

TEST_F(SpareTest, AnOrderedRestartIsATakeOverWithoutAGap) {
  install(warm(1), "a1");
  device.run_for(3000);
  const std::string next = spare()->id;
  bool always = true;
  device.after_each_event = [&] { always = always && device.launcher.serves(); };
  auto wish = TestDevice::wish("dns", 1, "s1");
  wish.set_restart_count(1);
  device.want(wish);
  EXPECT_EQ(verdict("s1").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(live()->id, next);
  device.run_for(10'000);
  EXPECT_TRUE(always);
  EXPECT_EQ(running(), 2u);
  device.after_each_event = nullptr;
}

TEST_F(SpareTest, AGuestThatEndsAsItsPolicyAllowsTakesItsSpareAlong) {
  auto manifest = warm(1);
  manifest.mutable_restart()->set_policy(fleet::v1::ON_FAILURE);
  install(manifest, "a1");
  end(live(), 0);
  device.run_for(30'000);
  EXPECT_EQ(running(), 0u);
}

TEST_F(SpareTest, AfterTheLaunchersDeathBothComeBack) {
  install(warm(1), "a1");
  device.guests = {};
  device.guests.boot_ms = 2;
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves() && running() == 2; }, 10'000));
}

}  // namespace
