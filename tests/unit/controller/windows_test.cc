// Windows: judged by the time of day where the device is, told to it, and never a reason to fail.
#include "controller/windows.h"

#include "tests/unit/controller/world.h"

namespace controller {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
// 2026-07-01 00:30 UTC: 02:30 in Paris, by summer time.
constexpr std::int64_t kSummer = 1'782'865'800'000;
// 2026-01-01 00:30 UTC: 01:30 in Paris.
constexpr std::int64_t kWinter = 1'767'227'400'000;

Subject device_in(const std::string& zone) {
  Subject device;
  if (!zone.empty()) device.labels[kZoneLabel] = zone;
  return device;
}

v1::UpdatePolicy night() {
  v1::UpdatePolicy update;
  update.set_download("02:00-04:00");
  update.set_apply("03:00-04:00");
  return update;
}

TEST(WindowsTest, AreOfTheDaysOfTheDevicesZone) {
  EXPECT_TRUE(judge_windows(night(), device_in(""), kSummer)->hold_fetch) << "00:30 in UTC";
  EXPECT_FALSE(judge_windows(night(), device_in("Europe/Paris"), kSummer)->hold_fetch);
  EXPECT_TRUE(judge_windows(night(), device_in("Europe/Paris"), kSummer)->hold_arm);
  EXPECT_FALSE(judge_windows(night(), device_in("Europe/Paris"), kSummer + kHourMs / 2)->hold_arm);
  const auto winter = judge_windows(night(), device_in("Europe/Paris"), kWinter);
  EXPECT_TRUE(winter->hold_fetch) << "01:30 there, an hour of summer time ago";
  EXPECT_EQ(winter->text, "waits for its download window, 02:00-04:00 Europe/Paris");
  const auto none = judge_windows(v1::UpdatePolicy(), device_in("Mars/Base"), kSummer);
  EXPECT_FALSE(none->hold_fetch || none->hold_arm) << "no window, no question";
}

TEST(WindowsTest, AnUnknownZoneWaitsAndSaysWhy) {
  const auto gate = judge_windows(night(), device_in("Mars/Base"), kSummer);
  ASSERT_TRUE(gate.has_value());
  EXPECT_TRUE(gate->hold_fetch && gate->hold_arm);
  EXPECT_NE(gate->text.find("tz=Mars/Base"), std::string::npos);
  EXPECT_TRUE(check_zone("America/Sao_Paulo").has_value());
  EXPECT_TRUE(check_zone("UTC").has_value());
  for (const char* zone : {"", "Paris", "../../etc/passwd", "Europe/Paris/x"}) {
    EXPECT_FALSE(check_zone(zone).has_value()) << zone;
  }
}

// The clock of World says 22:13 UTC.
struct WindowedFleet : ::testing::Test {
  World world;
  WindowedFleet() {
    world.set_up_trust();
    world.enroll("edge-1");
    world.online("edge-1");
    world.next_update.set_download("23:00-01:00");
    world.next_update.set_apply("00:00-01:00");
    const auto begun = world.push(world.next_push("edge"));
    EXPECT_TRUE(begun.has_value()) << (begun ? "" : begun.error().what);
    number = begun->number;
    id = world.id_of("edge-1");
  }
  v1::DesiredApp wanted() {
    const auto desired = world.fleet->desired_of(id);
    EXPECT_TRUE(desired.has_value() && desired->apps_size() == 1);
    return desired->apps(0);
  }
  void pass(std::int64_t ms) {
    world.clock.advance(ms);
    EXPECT_TRUE(world.fleet->tick().has_value());
    EXPECT_TRUE(world.fleet->desired_sent(id).has_value());
  }
  std::int64_t number = 0;
  std::string id;
};

TEST_F(WindowedFleet, ADeviceIsToldWhenItsWindowsOpen) {
  EXPECT_TRUE(wanted().hold_fetch());
  EXPECT_EQ(world.state(number, "edge-1"), v1::WAITING);
  const std::int64_t told = world.generation("edge-1");
  pass(10'000);
  EXPECT_EQ(world.generation("edge-1"), told) << "nothing changed";
  pass(kHourMs);
  EXPECT_GT(world.generation("edge-1"), told);
  EXPECT_FALSE(wanted().hold_fetch());
  EXPECT_TRUE(wanted().hold_arm());
  EXPECT_EQ(world.state(number, "edge-1"), v1::OFFERED);
  ASSERT_TRUE(world.report("edge-1", v1::STAGED, 0).has_value());
  pass(kHourMs / 2);
  EXPECT_EQ(world.state(number, "edge-1"), v1::STAGED) << "it waits, it is not late";
  pass(kHourMs / 2);
  EXPECT_FALSE(wanted().hold_arm());
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  EXPECT_EQ(world.rollout(number).state, v1::ROLLOUT_SUCCEEDED);
}

TEST_F(WindowedFleet, AControllerThatWasAwayGoesByTheClockAgain) {
  world.restart();
  world.online("edge-1");
  EXPECT_TRUE(wanted().hold_fetch());
  EXPECT_EQ(world.state(number, "edge-1"), v1::WAITING);
  pass(kHourMs);
  EXPECT_FALSE(wanted().hold_fetch());
  world.offline("edge-1");
  pass(3 * kHourMs);
  world.online("edge-1");
  EXPECT_TRUE(wanted().hold_fetch()) << "it came back when the window was over";
}

TEST_F(WindowedFleet, WhatRunsIsNeverHeld) {
  pass(2 * kHourMs);
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 1).has_value());
  const auto order = world.order(v1::ORDER_STOP, "edge");
  ASSERT_TRUE(order.has_value());
  pass(3 * kHourMs);
  EXPECT_FALSE(wanted().hold_arm()) << "a stop keeps to no window";
}

}  // namespace
}  // namespace controller
