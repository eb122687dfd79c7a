// A release that its signer took back (DESIGN 4): who knows of it neither takes it nor goes back to
// it, and where it runs it runs on, marked. The device learns of it by itself.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/fakes.h"

namespace {

using fleet::v1::AppStatus;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr const char* kTimestampPath = "/device/v1/metadata/timestamp.json";

class YankTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  void yank(std::int64_t release) { repository.yank("dns", release); }
  bool knows(std::uint64_t release) { return device.agent->device().is_yanked("dns", release); }
  /// The controller says that there is something, and the device looks.
  void learn_of(std::uint64_t release) {
    device.tell_news(++news);
    EXPECT_TRUE(device.run_until([&] { return knows(release); }));
  }
  AppStatus status() { return device.agent->apps().front(); }
  fleet::v1::Report verdict(const std::string& attempt) {
    EXPECT_TRUE(device.run_until([&] { return device.ended(attempt); })) << attempt;
    return device.last(attempt);
  }
  void push(std::uint64_t release, const std::string& attempt) {
    device.want(TestDevice::wish("dns", release, attempt));
  }
  fleet::v1::Report go_back(std::uint64_t to, const std::string& attempt) {
    auto wish = TestDevice::wish("dns", to, attempt);
    wish.set_fall_back(to);
    device.want(wish);
    return verdict(attempt);
  }
  std::ptrdiff_t looks() {
    return std::count(device.wire.paths.begin(), device.wire.paths.end(), kTimestampPath);
  }

  Repository repository{kNow};
  TestDevice device{repository};
  std::uint64_t news = 0;
};

TEST_F(YankTest, WhereItRunsItRunsOnMarked) {
  device.install(1, "a1");
  yank(1);
  EXPECT_FALSE(status().a().yanked());
  learn_of(1);
  EXPECT_TRUE(status().a().yanked());
  device.run_for(60'000);
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(YankTest, ItIsStartedAgainWhereItRan) {
  device.install(1, "a1");
  yank(1);
  learn_of(1);
  for (agent::Instance& one : device.guests.instances) {
    one.state = agent::InstanceState::exited;
    one.exited_ms = static_cast<std::uint64_t>(device.clock.now_ms());
    one.wait_status = 1 << 8;
  }
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }));
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(YankTest, WhatIsYankedWhileItsBytesComeIsNotArmed) {
  device.install(1, "a1");
  repository.add(make_manifest("dns", 2), "image 2");
  device.after_each_event = [&] {
    if (device.last("a2").state() != fleet::v1::STAGED || knows(2)) return;
    agent::MetadataFacts facts;
    facts.yanked["dns"].insert(2);
    EXPECT_TRUE(device.agent->device().learn(facts).has_value());
  };
  push(2, "a2");
  const auto report = verdict("a2");
  EXPECT_TRUE(knows(2)) << "it was never staged";
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_YANKED) << report.why().text();
  EXPECT_EQ(status().candidate_release(), 0u);
}

TEST_F(YankTest, ItIsNotGoneBackToByOrder) {
  device.install(1, "a1");
  device.install(2, "a2");
  yank(1);
  learn_of(1);
  const auto report = go_back(1, "b1");
  EXPECT_EQ(report.state(), fleet::v1::HELD);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_YANKED) << report.why().text();
  EXPECT_EQ(device.live_release("dns"), 2u);
}

TEST_F(YankTest, ADeviceThatHasNotSeenItGoesBack) {
  device.install(1, "a1");
  device.install(2, "a2");
  yank(1);
  EXPECT_EQ(go_back(1, "b1").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(YankTest, WhatWasLearntIsKnownForEver) {
  device.install(1, "a1");
  device.install(2, "a2");
  yank(1);
  learn_of(1);
  device.stop();
  // A controller that makes the device forget its metadata gains nothing.
  for (const auto& file : std::filesystem::directory_iterator(device.directory / "metadata")) {
    if (file.path().filename() != "root.json") std::filesystem::remove(file.path());
  }
  device.start();
  device.run_for(1000);
  EXPECT_EQ(go_back(1, "b1").why().code(), fleet::v1::CODE_YANKED);
}

TEST_F(YankTest, ItIsNotGoneBackToUnderWatchEither) {
  device.install(1, "a1");
  device.scripts[2].stops_answering_ms = 20'000;
  device.install(2, "a2");
  yank(1);
  learn_of(1);
  device.run_for(60'000);
  EXPECT_EQ(device.live_release("dns"), 2u) << "restarted, not taken back";
  EXPECT_EQ(status().b().state(), fleet::v1::GOOD);
  EXPECT_GT(status().instance().restarts(), 0u);
}

TEST_F(YankTest, ANewerReleaseOnTrialKeepsGoing) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = 5000;
  repository.add(make_manifest("dns", 2), "image 2");
  push(2, "a2");
  EXPECT_TRUE(device.run_until([&] { return device.last("a2").state() == fleet::v1::TRIAL; }));
  yank(1);
  learn_of(1);
  EXPECT_FALSE(device.ended("a2"));
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.live_release("dns"), 2u);
}

TEST_F(YankTest, ATrialThatFailsLeavesTheYankedOneRunning) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  repository.add(make_manifest("dns", 2), "image 2");
  push(2, "a2");
  EXPECT_TRUE(device.run_until([&] { return device.last("a2").state() == fleet::v1::TRIAL; }));
  yank(1);
  learn_of(1);
  EXPECT_EQ(verdict("a2").state(), fleet::v1::REVERTED);
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_TRUE(status().a().yanked());
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(YankTest, AnotherReleaseTakesThePlaceOfAYankedOne) {
  device.install(1, "a1");
  yank(1);
  learn_of(1);
  device.install(2, "a2");
  EXPECT_EQ(device.live_release("dns"), 2u);
  EXPECT_FALSE(status().b().yanked());
}

using NewsTest = YankTest;

TEST_F(NewsTest, TheSameNewsAreFollowedOnceAlsoAfterARestart) {
  device.install(1, "a1");
  device.tell_news(7);
  device.run_for(10'000);
  const auto once = looks();
  device.tell_news(7);
  device.run_for(10'000);
  device.stop();
  device.start();
  device.agent->device().link_up = true;
  device.run_for(200'000);
  EXPECT_EQ(looks(), once);
  device.tell_news(6);  // a controller that was restored says less: that is another number, too
  device.run_for(10'000);
  EXPECT_EQ(looks(), once + 1);
}

TEST_F(NewsTest, ALookThatFailsIsTriedAgain) {
  device.install(1, "a1");
  yank(1);
  device.wire.failures_left = 5;
  device.tell_news(1);
  EXPECT_TRUE(device.run_until([&] { return device.agent->device().metadata_why.has_value(); }));
  EXPECT_EQ(device.agent->device().inventory().metadata().why().code(),
            fleet::v1::CODE_UNREACHABLE);
  EXPECT_TRUE(device.run_until([&] { return knows(1); }));
  EXPECT_FALSE(device.agent->device().inventory().metadata().has_why());
}

TEST_F(NewsTest, WithoutALinkNothingIsAsked) {
  device.install(1, "a1");
  const auto before = looks();
  device.tell_news(1);
  device.agent->device().link_up = false;
  device.run_for(120'000);
  EXPECT_EQ(looks(), before);
}

// The thief of the online keys said that it is 300 days later; what is true has expired since then.
TEST_F(NewsTest, ATimeFloorOfStolenKeysGoesWithThem) {
  device.install(1, "a1");
  const std::int64_t far = 300 * ota::kDay_s;
  repository.now_s += far;
  repository.publish();
  device.tell_news(1);
  ASSERT_TRUE(device.run_until([&] { return device.state->time_floor()->unix_s >= kNow + far; }));
  repository.now_s -= far;
  repository.publish();
  device.tell_news(2);
  ASSERT_TRUE(device.run_until([&] { return device.agent->device().metadata_why.has_value(); }));
  EXPECT_EQ(device.agent->device().metadata_why->code, proto::Code::expired);
  repository.rotate_online_keys();
  device.tell_news(3);
  EXPECT_TRUE(device.run_until([&] { return !device.agent->device().metadata_why.has_value(); }));
  EXPECT_LT(device.state->time_floor()->unix_s, kNow + far);
  EXPECT_EQ(device.agent->device().metadata.root_version, 2u);
}

// Freeze: nothing is told, and what is served grows old.
TEST_F(NewsTest, MetadataThatGrowsOldIsAskedForAndWhatExpiredIsSaid) {
  device.install(1, "a1");
  device.agent->device().link_up = true;
  const auto before = looks();
  device.clock.wall_base_ms += 11 * 3'600'000;
  device.run_for(120'000);
  EXPECT_EQ(looks(), before) << "it is fresh for more than half of its time";
  device.clock.wall_base_ms += 2 * 3'600'000;
  device.run_for(120'000);
  EXPECT_EQ(looks(), before + 1);
  EXPECT_FALSE(device.agent->device().metadata_why.has_value());
  device.clock.wall_base_ms += 12 * 3'600'000;
  device.run_for(agent::kOldMetadataLookMs + 120'000);
  EXPECT_EQ(device.agent->device().inventory().metadata().why().code(), fleet::v1::CODE_EXPIRED);
  EXPECT_TRUE(device.launcher.serves()) << "what runs depends on no date";
}

}  // namespace
