// The agent killed at every change of the outside world, and the power cut there: rebuilt over the
// same state it ends in the old or the new release, serves, and says the truth.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "agent/flight_log.h"
#include "tests/unit/agent/fakes.h"

namespace {

using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;

struct Snapshots {
  TestDevice& device;
  Repository& repository;
  std::vector<std::unique_ptr<TestDevice>> worlds;
  std::size_t seen_reports = 0;
  bool copying = false;

  void take() {
    if (copying) return;
    copying = true;
    worlds.push_back(std::make_unique<TestDevice>(device, repository));
    copying = false;
  }
  // After an event: only when something durable came.
  void look() {
    const std::size_t now = device.reports().size();
    if (now == seen_reports) return;
    seen_reports = now;
    take();
  }
};

// The report of a revert and the flight record that explains it are there together, or neither is.
void check_cut(const TestDevice& world) {
  auto state = agent::State::open((world.directory / "agent.db").string());
  ASSERT_TRUE(state.has_value());
  const auto reports = (*state)->outbox(0, 1000);
  ASSERT_TRUE(reports.has_value());
  const auto reverts = std::count_if(reports->begin(), reports->end(), [](const auto& report) {
    return report.state() == fleet::v1::REVERTED;
  });
  EXPECT_EQ(*agent::FlightLog::count((*state)->database()), static_cast<std::uint64_t>(reverts));
}

void check_end(TestDevice& world, bool good_release) {
  const bool ended = world.run_until([&] { return world.ended("a2"); }, 300'000);
  ASSERT_TRUE(ended) << "no verdict";
  const auto report = world.last("a2");
  const std::uint64_t live = world.live_release("dns");
  if (good_release) {
    // A trial may have lost its tries to the cuts, but one cut never uses up two.
    EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
    EXPECT_EQ(live, 2u);
  } else {
    EXPECT_EQ(report.state(), fleet::v1::REVERTED);
    EXPECT_EQ(live, 1u);
    const auto flight = *agent::FlightLog::newest(world.state->database());
    ASSERT_TRUE(flight.has_value());
    EXPECT_EQ(flight->why().fingerprint(), report.why().fingerprint());
    EXPECT_EQ(flight->count(), 1u);
  }
  EXPECT_EQ(report.status().live_release(), live) << "the report says what runs";
  EXPECT_TRUE(world.run_until([&] { return world.launcher.serves(); }, 10'000));
  world.run_for(30'000);
  std::size_t running = 0;
  const auto listed = world.launcher.list();
  for (const agent::Instance& one : *listed) {
    running += one.state == agent::InstanceState::running ? 1u : 0u;
  }
  EXPECT_EQ(running, 1u) << "nothing is left over";
  const auto pinned = ota::Slots::pinned_blobs(world.state->database());
  ASSERT_TRUE(pinned.has_value());
  EXPECT_EQ(world.disk->list("blobs")->size(), pinned->size()) << "nor in the store";
  EXPECT_EQ(world.guests.instances.size(), 1u);
}

class CrashTest : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(CrashTest, EveryCutEndsInTheOldOrTheNewReleaseWithATruthfulReport) {
  const auto [good_release, power_cut] = GetParam();
  Repository repository(kNow);
  TestDevice device(repository);
  device.start();
  device.run_for(100);
  device.install(1, "a1");
  device.run_for(15'000);
  if (!good_release) device.scripts[2].answers_after_ms = -1;
  repository.add(make_manifest("dns", 2), "image 2");

  Snapshots snapshots{device, repository, {}, device.reports().size(), false};
  device.want(TestDevice::wish("dns", 2, "a2"));
  snapshots.take();
  device.after_each_event = [&] { snapshots.look(); };
  device.launcher.on_change = [&] { snapshots.take(); };
  ASSERT_TRUE(device.run_until([&] { return device.ended("a2"); }));
  device.run_for(12'000);
  device.after_each_event = nullptr;
  device.launcher.on_change = nullptr;
  device.stop();
  ASSERT_GE(snapshots.worlds.size(), 10u);

  for (std::size_t i = 0; i < snapshots.worlds.size(); ++i) {
    SCOPED_TRACE("cut " + std::to_string(i) + " of " + std::to_string(snapshots.worlds.size()));
    TestDevice& world = *snapshots.worlds[i];
    if (power_cut) {
      world.guests = {};
      world.guests.boot_ms = 2;
      world.machine.boot_id = "boot-2";
    }
    check_cut(world);
    world.start();
    check_end(world, good_release);
    world.stop();
    snapshots.worlds[i].reset();
  }
}

TEST(LostBytes, OfATrialAreItsVerdictAfterAStart) {
  Repository repository(kNow);
  TestDevice device(repository);
  device.start();
  device.run_for(100);
  device.install(1, "a1");
  repository.add(make_manifest("dns", 2), "image 2");
  device.scripts[2].answers_after_ms = -1;
  device.want(TestDevice::wish("dns", 2, "a2"));
  const auto on_trial = [&] { return device.last("a2").state() == fleet::v1::TRIAL; };
  ASSERT_TRUE(device.run_until(on_trial));
  const auto slots = ota::Slots::read(device.state->database(), "dns");
  ASSERT_TRUE(slots && slots->trial());
  const ota::Sha256 image = slots->slot(*slots->trial()).release.blobs.front().digest;
  device.stop();
  ASSERT_TRUE(std::filesystem::remove(device.directory / "blobs" / image.hex()));
  device.guests = {};
  device.guests.boot_ms = 2;
  device.machine.boot_id = "boot-2";

  device.start();
  ASSERT_TRUE(device.run_until([&] { return device.ended("a2"); }));
  EXPECT_EQ(device.last("a2").state(), fleet::v1::REVERTED);
  EXPECT_EQ(device.last("a2").why().code(), fleet::v1::CODE_BAD_DIGEST);
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_TRUE(device.run_until([&] { return device.launcher.serves(); }, 10'000));
  device.install(3, "a3");
}

INSTANTIATE_TEST_SUITE_P(
    KillAndPowerCut, CrashTest, testing::Combine(testing::Bool(), testing::Bool()),
    [](const auto& param) {
      return std::string(std::get<0>(param.param) ? "GoodRelease" : "BadRelease") +
             (std::get<1>(param.param) ? "PowerCut" : "Killed");
    });

}  // namespace
