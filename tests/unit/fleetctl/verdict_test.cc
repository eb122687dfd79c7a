// The end of a rollout on the terminal: UX.md's transcripts.
#include "deploy/fleetctl/verdict.h"

#include <gtest/gtest.h>

#include "deploy/fleetctl/rollout_view.h"
#include "tests/unit/fleetctl/rollout_text.h"

namespace fleetctl {
namespace {

using Lines = std::vector<std::string>;
using fleet::v1::Rollout;

fleet::v1::AppManifest dns_manifest() {
  fleet::v1::AppManifest manifest;
  manifest.set_name("dns");
  manifest.set_memory_bytes(16 * 1024 * 1024);
  manifest.mutable_health()->set_type(fleet::v1::HEALTH_DNS);
  manifest.mutable_health()->set_query("www.example.test A");
  return manifest;
}

Rollout first_push() {
  Rollout rollout = rollout_of(fleet::v1::ROLLOUT_SUCCEEDED, 11100);
  add_healthy(rollout, "edge-1", "spt", 290, "dns 3/3 in 4 ms", "192.0.2.11");
  add_healthy(rollout, "edge-2", "spt", 310, "dns 3/3 in 5 ms", "192.0.2.12");
  add_healthy(rollout, "edge-3", "hvt", 440, "dns 3/3 in 9 ms", "192.0.2.13");
  return rollout;
}

Rollout taken_back() {
  Rollout rollout = rollout_of(fleet::v1::ROLLOUT_FAILED, 11'000);
  rollout.set_id("r-2");
  rollout.set_release(2);
  add_reverted(rollout, "edge-1", 10'600);
  add_reverted(rollout, "edge-2", 10'700);
  add_reverted(rollout, "edge-3", 10'900);
  return rollout;
}

TEST(Verdict, AFirstPushReadsLikeTheTranscript) {
  const Rollout rollout = first_push();
  EXPECT_EQ(device_table(rollout, 0),
            (Lines{"  DEVICE  STATE    RELEASE  MONITOR  TIME   DETAIL",
                   "✔ edge-1  healthy  1        spt      0.29s  dns 3/3 in 4 ms, 192.0.2.11:53",
                   "✔ edge-2  healthy  1        spt      0.31s  dns 3/3 in 5 ms, 192.0.2.12:53",
                   "✔ edge-3  healthy  1        hvt      0.44s  dns 3/3 in 9 ms, 192.0.2.13:53"}));
  const auto manifest = dns_manifest();
  EXPECT_EQ(verdict_lines({rollout, &manifest, "", false}),
            (Lines{"OK  dns 1 is live on 3 of 3 devices (11.1s)",
                   "    dig @192.0.2.11 www.example.test     fleetctl logs dns -f"}));
  EXPECT_EQ(exit_code_of(rollout, true), ExitCode::ok);
}

TEST(Verdict, APushThatTakesItselfBackReadsLikeTheTranscript) {
  const Rollout rollout = taken_back();
  EXPECT_EQ(device_table(rollout, 0),
            (Lines{"  DEVICE  STATE     RELEASE  TIME   DETAIL",
                   "✘ edge-1  reverted  1        10.6s  no answer: dns www.example.test A, "
                   "0 of 18 probes",
                   "✘ edge-2  reverted  1        10.7s  same fault, a41c09f2",
                   "✘ edge-3  reverted  1        10.9s  same fault, a41c09f2"}));
  const auto manifest = dns_manifest();
  EXPECT_EQ(
      verdict_lines({rollout, &manifest, "manifest.yml:45", false}),
      (Lines{"FAILED  dns 2: 0 healthy, 3 reverted. All 3 devices run dns 1.",
             "  cause     image: the guest ran (up 10.1s, 3.1 of 16 MiB, 0 restarts) and never "
             "answered port 53/udp",
             "            its console says it listens on 5353; health asks 53 (manifest.yml:45)",
             "  console   edge-1, last 2 lines",
             "            | dns: zone example.test: 12 records",
             "            | dns: listening on 10.77.0.3:5353",
             "  next      mend and push again (it becomes dns 3); these 3 devices will not try "
             "dns 2 again",
             "            fleetctl rollout show r-2     fleetctl flights dns --device edge-1 "
             "--release 2"}));
  EXPECT_EQ(exit_code_of(rollout, false), ExitCode::rollout_failed);
}

TEST(Verdict, AnAnswerNowAndThenIsNotNever) {
  Rollout rollout = taken_back();
  for (auto& device : *rollout.mutable_devices()) {
    device.mutable_why()->set_probes_passed(17);
    device.mutable_why()->set_probes_total(18);
  }
  const auto manifest = dns_manifest();
  const Lines lines = verdict_lines({rollout, &manifest, "manifest.yml:45", false});
  EXPECT_EQ(lines.at(1),
            "  cause     image: the guest ran (up 10.1s, 3.1 of 16 MiB, 0 restarts) and was never "
            "healthy for long enough: 17 of 18 probes passed");
}

TEST(Verdict, AFirstInstallThatFailsHasNothingToGoBackTo) {
  Rollout rollout = rollout_of(fleet::v1::ROLLOUT_FAILED, 500);
  auto& device = add_reverted(rollout, "edge-1", 400);
  device.set_state(fleet::v1::FAILED);
  device.set_live_release(0);
  device.mutable_why()->set_code(fleet::v1::CODE_GUEST_EXIT);
  device.mutable_why()->set_exit("guest exit 1");
  device.mutable_why()->set_up_ms(300);
  const Lines lines = verdict_lines({rollout, nullptr, "", false});
  EXPECT_EQ(lines[0], "FAILED  dns 1: 0 healthy, 1 failed. 1 device keeps dns stopped: there is no "
                      "release to go back to.");
  EXPECT_EQ(lines[1], "  cause     image: the guest ended by itself with guest exit 1 after 0.30s");
}

TEST(Verdict, OfflineDevicesAreSaidAndDoNotFail) {
  Rollout rollout = first_push();
  rollout.mutable_devices(2)->set_online(false);
  rollout.mutable_devices(2)->set_state(fleet::v1::WAITING);
  EXPECT_EQ(verdict_lines({rollout, nullptr, "", false}).front(),
            "OK  dns 1 is live on 2 of 2 reachable devices (11.1s); 1 offline");
  EXPECT_EQ(device_table(rollout, 0).back().substr(0, 24), "○ edge-3  offline  1  ");
  EXPECT_EQ(exit_code_of(rollout, false), ExitCode::ok);
  EXPECT_EQ(exit_code_of(rollout, true), ExitCode::rollout_failed);
}

TEST(Verdict, OrdersHaveTheirOwnWords) {
  Rollout rollout = first_push();
  rollout.set_kind(fleet::v1::KIND_STOP);
  for (auto& device : *rollout.mutable_devices()) device.set_state(fleet::v1::STOPPED);
  EXPECT_EQ(verdict_lines({rollout, nullptr, "", false}),
            Lines{"OK  dns is stopped on 3 of 3 devices (11.1s)"});
  rollout.set_kind(fleet::v1::KIND_DELETE);
  EXPECT_EQ(verdict_lines({rollout, nullptr, "", false}),
            Lines{"OK  dns is deleted from 3 of 3 devices (11.1s)"});
}

TEST(Verdict, AbortedAndSupersededAreFailuresForScripts) {
  Rollout rollout = taken_back();
  rollout.set_state(fleet::v1::ROLLOUT_ABORTED);
  EXPECT_EQ(exit_code_of(rollout, false), ExitCode::rollout_failed);
  EXPECT_TRUE(verdict_lines({rollout, nullptr, "", false}).front().starts_with("ABORTED  dns 2"));
  rollout.set_state(fleet::v1::ROLLOUT_SUPERSEDED);
  EXPECT_EQ(exit_code_of(rollout, false), ExitCode::rollout_failed);
}

TEST(Verdict, DeviceFaultsAreNotTheImagesAndMayBeTriedAgain) {
  Rollout rollout = taken_back();
  for (auto& device : *rollout.mutable_devices()) {
    device.mutable_why()->set_code(fleet::v1::CODE_NO_MEMORY);
    device.mutable_why()->set_text("6 MiB free, dns needs 24 MiB");
    device.mutable_why()->clear_console_tail();
  }
  const Lines lines = verdict_lines({rollout, nullptr, "", false});
  EXPECT_EQ(lines[1], "  cause     device: 6 MiB free, dns needs 24 MiB");
  EXPECT_EQ(lines[2], "  next      mend what is named above and push again (it becomes dns 3)");
}

TEST(Verdict, AHostileGuestsWordsStayWords) {
  Rollout rollout = taken_back();
  rollout.mutable_devices(0)->mutable_why()->set_console_tail(0, "\x1b]0;owned\x07");
  rollout.mutable_devices(0)->mutable_why()->set_text("a\nOK  dns 2 is live");
  for (const std::string& line : verdict_lines({rollout, nullptr, "", false})) {
    EXPECT_EQ(line.find_first_of("\x1b\x07\n"), std::string::npos) << line;
  }
  for (const std::string& line : device_table(rollout, 0)) {
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
}

TEST(Verdict, TheListeningPortIsTheLastOneSaid) {
  EXPECT_EQ(listening_port({"listening on 0.0.0.0:53", "dns: listening on [::]:5353"}), 5353u);
  EXPECT_EQ(listening_port({"listening on everything"}), 0u);
  EXPECT_EQ(listening_port({"listening on a:99999"}), 0u);
}

}  // namespace
}  // namespace fleetctl
