// Rollouts of many devices on the terminal: UX.md's transcript.
#include "deploy/fleetctl/wave_view.h"

#include <gtest/gtest.h>

#include "deploy/fleetctl/rollout_view.h"
#include "deploy/fleetctl/verdict.h"
#include "tests/unit/fleetctl/rollout_text.h"

namespace fleetctl {
namespace {

using Lines = std::vector<std::string>;
using fleet::v1::Rollout;

void add_wave(Rollout& rollout, const std::string& share, std::uint32_t devices,
              std::uint32_t waiting, std::uint32_t busy, std::uint32_t healthy,
              std::uint32_t failed, std::uint32_t offline) {
  auto& wave = *rollout.add_waves();
  wave.set_share(share);
  auto& counts = *wave.mutable_counts();
  counts.set_devices(devices);
  counts.set_waiting(waiting);
  counts.set_busy(busy);
  counts.set_healthy(healthy);
  counts.set_failed(failed);
  counts.set_offline(offline);
}

Rollout three_hundred() {
  Rollout rollout = rollout_of(fleet::v1::ROLLOUT_RUNNING, 0);
  rollout.set_id("r-9");
  rollout.set_release(4);
  rollout.mutable_policy()->set_soak_ms(600'000);
  add_wave(rollout, "", 1, 0, 0, 1, 0, 0);
  add_wave(rollout, "10%", 29, 0, 0, 28, 0, 1);
  add_wave(rollout, "50%", 120, 71, 9, 38, 1, 1);
  add_wave(rollout, "100%", 150, 148, 0, 0, 0, 2);
  rollout.set_wave(3);
  rollout.mutable_waves(0)->set_opened_ms(1'000'000);
  rollout.mutable_waves(0)->set_ended_ms(1'001'200);
  rollout.mutable_waves(1)->set_opened_ms(1'601'200);
  rollout.mutable_waves(1)->set_ended_ms(1'606'000);
  rollout.mutable_waves(2)->set_opened_ms(2'206'000);
  auto& fault = *rollout.add_faults();
  fault.set_devices(1);
  fault.set_device("edge-117");
  fault.set_cause(fleet::v1::CAUSE_DEVICE);
  fault.set_text("6 MiB free, dns needs 24 MiB");
  return rollout;
}

TEST(WaveView, ReadsLikeTheTranscript) {
  const Rollout rollout = three_hundred();
  EXPECT_EQ(
      wave_table(rollout, 2'300'000),
      (Lines{
          "  WAVE      DEVICES  WAITING  BUSY  HEALTHY  REVERTED  FAILED  OFFLINE  TOOK",
          "✔ 1               1        0     0        1         0       0        0  1.20s",
          "✔ 2 (10%)        29        0     0       28         0       0        1  4.80s",
          "▶ 3 (50%)       120       71     9       38         0       1        1  "
          "=======---------------  32%",
          "  4 (100%)      150      148     0        0         0       0        2  "
          "soak 10m before"}));
  EXPECT_EQ(fault_lines(rollout), (Lines{"  edge-117  device: 6 MiB free, dns needs 24 MiB"}));
  EXPECT_EQ(course_line(rollout, 2'300'000), "");
}

TEST(WaveView, TheSameFaultIsOne) {
  Rollout rollout = three_hundred();
  auto& fault = *rollout.mutable_faults(0);
  fault.set_devices(37);
  fault.set_fingerprint("a41c09f2");
  fault.set_cause(fleet::v1::CAUSE_IMAGE);
  fault.set_text("no answer\x1b[31m");
  EXPECT_EQ(fault_lines(rollout),
            (Lines{"  37 devices  image: same fault a41c09f2: no answer\\x1b[31m"}));
  for (int i = 0; i < 4; ++i) *rollout.add_faults() = rollout.faults(0);
  ASSERT_EQ(fault_lines(rollout).size(), 4u);
  EXPECT_EQ(fault_lines(rollout).back(), "  and 2 other faults");
}

TEST(WaveView, SaysWhereTheWholeStands) {
  Rollout rollout = three_hundred();
  rollout.set_soak_until_ms(2'860'000);
  EXPECT_EQ(course_line(rollout, 2'300'000), "  wave 4 of 4 opens in 9m");
  EXPECT_NE(wave_table(rollout, 2'300'000).back().find("opens in 9m"), std::string::npos);
  rollout.set_state(fleet::v1::ROLLOUT_PAUSED);
  rollout.set_paused_by("ana");
  EXPECT_EQ(course_line(rollout, 2'300'000),
            "▲ paused by ana   fleetctl rollout resume|abort r-9");
  rollout.clear_paused_by();
  rollout.set_paused_why("7 of 300 devices failed; max_failed is 2%");
  EXPECT_EQ(course_line(rollout, 0),
            "▲ paused: 7 of 300 devices failed; max_failed is 2%   "
            "fleetctl rollout resume|abort r-9");
  rollout.set_state(fleet::v1::ROLLOUT_REVERTING);
  rollout.set_halted_why("7 of 300 devices failed; max_failed is 2%");
  EXPECT_EQ(course_line(rollout, 0),
            "✘ stopped: 7 of 300 devices failed; max_failed is 2%; its devices go back");
  EXPECT_NE(wave_table(rollout, 0).back().find("not opened"), std::string::npos);
}

TEST(WaveView, ThePlanIsOneLine) {
  fleet::v1::RolloutPolicy policy;
  policy.set_strategy(fleet::v1::WAVES);
  for (const char* wave : {"1", "10%", "50%", "100%"}) policy.add_waves(wave);
  policy.set_soak_ms(600'000);
  policy.set_max_failed("2%");
  policy.set_min_finished(5);
  policy.set_on_failure(fleet::v1::REVERT);
  policy.mutable_max_unavailable()->set_by("site");
  policy.mutable_max_unavailable()->set_count(1);
  EXPECT_EQ(policy_text(policy, 300),
            "waves 1, 30, 150, 300 · soak 10m · stop above 2% failed (min 5) · then back · "
            "1 down per site · at least 30m");
  policy.clear_waves();
  policy.set_on_failure(fleet::v1::KEEP);
  EXPECT_EQ(policy_text(policy, 3), "stop above 2% failed (min 5) · 1 down per site");
}

TEST(WaveView, APausedOrRevertingRolloutHasNotEnded) {
  Rollout rollout = three_hundred();
  for (const auto state : {fleet::v1::ROLLOUT_RUNNING, fleet::v1::ROLLOUT_PAUSED,
                           fleet::v1::ROLLOUT_REVERTING}) {
    rollout.set_state(state);
    EXPECT_FALSE(RolloutView(rollout).ended()) << state;
  }
  for (const auto state : {fleet::v1::ROLLOUT_SUCCEEDED, fleet::v1::ROLLOUT_FAILED,
                           fleet::v1::ROLLOUT_ABORTED, fleet::v1::ROLLOUT_SUPERSEDED}) {
    rollout.set_state(state);
    EXPECT_TRUE(RolloutView(rollout).ended()) << state;
  }
}

TEST(WaveView, PlainLinesTellTheCourseAndOfManyDevicesOnlyTheFailures) {
  Rollout rollout = three_hundred();
  for (int i = 0; i < 21; ++i) rollout.add_devices()->set_device("edge-" + std::to_string(i));
  RolloutView view(rollout);
  fleet::v1::Event event;
  event.set_kind("rollout.wave_opened");
  event.set_text("r-9: wave 4 of 4 is open, 150 devices");
  EXPECT_EQ(view.apply(event), "r-9: wave 4 of 4 is open, 150 devices");
  fleet::v1::Event reported;
  reported.set_kind("device.reported");
  auto& device = *reported.mutable_rollout_device();
  device.set_device("edge-3");
  device.set_online(true);
  device.set_state(fleet::v1::HEALTHY);
  EXPECT_EQ(view.apply(reported), "");
  device.set_state(fleet::v1::FAILED);
  device.set_detail("no memory");
  EXPECT_EQ(view.apply(reported), "✘ edge-3  failed  no memory");
}

TEST(WaveView, AStageIsDoneWhenItIsStaged) {
  Rollout rollout = rollout_of(fleet::v1::ROLLOUT_SUCCEEDED, 1000);
  rollout.set_kind(fleet::v1::KIND_STAGE);
  rollout.set_selector("edge");
  auto& device = *rollout.add_devices();
  device.set_device("edge-1");
  device.set_online(true);
  device.set_state(fleet::v1::STAGED);
  EXPECT_FALSE(device_succeeded(device)) << "on the way to its trial";
  device.set_ended_ms(1'000'500);
  EXPECT_TRUE(device_succeeded(device));
  const Lines lines = verdict_lines({rollout, nullptr, "", false});
  EXPECT_EQ(lines.at(0), "OK  dns 1 is staged on 1 of 1 device (1.00s)");
  EXPECT_NE(lines.at(1).find("fleetctl push dns --to edge"), std::string::npos);
  EXPECT_EQ(exit_code_of(rollout, true), ExitCode::ok);
}

}  // namespace
}  // namespace fleetctl
