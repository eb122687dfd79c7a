// The way of a push on one device: the real agent over fakes of its ports.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/fakes.h"

namespace {

using fleet::v1::DeviceState;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;

class UpdateTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  void add(std::uint64_t release) {
    repository.add(make_manifest("dns", release), "image " + std::to_string(release));
  }
  void push(std::uint64_t release, const std::string& attempt) {
    device.want(TestDevice::wish("dns", release, attempt));
  }
  /// Waits for the verdict of an attempt and gives its last report.
  fleet::v1::Report verdict(const std::string& attempt) {
    const bool ended = device.run_until([&] { return device.ended(attempt); });
    EXPECT_TRUE(ended) << attempt << " has no verdict";
    return device.last(attempt);
  }
  std::vector<DeviceState> states(const std::string& attempt) {
    std::vector<DeviceState> out;
    for (const fleet::v1::Report& report : device.reports()) {
      if (report.attempt() == attempt) out.push_back(report.state());
    }
    return out;
  }
  std::size_t running() {
    const auto listed = device.launcher.list();
    return static_cast<std::size_t>(
        std::count_if(listed->begin(), listed->end(), [](const agent::Instance& one) {
          return one.state == agent::InstanceState::running;
        }));
  }

  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(UpdateTest, AFirstPushBecomesHealthyAndSaysEachState) {
  add(1);
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(states("a1"), (std::vector<DeviceState>{fleet::v1::OFFERED, fleet::v1::FETCHING,
                                                    fleet::v1::STAGED, fleet::v1::TRIAL,
                                                    fleet::v1::HEALTHY}));
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_TRUE(device.launcher.serves());
  EXPECT_EQ(report.detail(), "dns 3/3 in 1 ms");
  EXPECT_GT(report.fetched_bytes(), 0u);
  EXPECT_EQ(report.status().live_release(), 1u);
  EXPECT_EQ(report.status().instance().monitor(), "qemu/tcg");
  std::vector<std::string> steps;
  for (const auto& step : report.steps()) steps.push_back(step.step());
  EXPECT_EQ(steps, (std::vector<std::string>{"admit", "fetch", "stage", "arm", "start", "probe",
                                             "confirm", "switch", "drain"}));
}

TEST_F(UpdateTest, ASecondReleaseRunsBesideTheFirstAndPortsMoveAfterConfirm) {
  device.install(1, "a1");
  device.launcher.calls.clear();
  bool always = true;
  device.after_each_event = [&] { always = always && device.launcher.serves(); };
  device.install(2, "a2");
  device.run_for(20'000);
  EXPECT_TRUE(always) << "there was a moment without an answer";
  EXPECT_EQ(device.live_release("dns"), 2u);
  EXPECT_EQ(device.launcher.calls,
            (std::vector<std::string>{"start 2", "publish 1", "flush 1", "stop 1"}));
  EXPECT_EQ(running(), 1u);
  EXPECT_NE(states("a2").size(), 0u);
}

TEST_F(UpdateTest, OnlyMissingBlobsAreFetched) {
  device.install(1, "a1");
  const std::uint64_t before = device.wire.blob_bytes;
  repository.add(make_manifest("dns", 2), "image 1");  // the same image, other manifest
  push(2, "a2");
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.wire.blob_bytes, before);
}

TEST_F(UpdateTest, ACrashAfterTheStartRevertsWithExitAndConsole) {
  device.install(1, "a1");
  device.scripts[2].exits_after_ms = 30;
  device.scripts[2].exit_status = 1;
  device.scripts[2].console = "dns: zone file is broken\nexiting\n";
  add(2);
  push(2, "a2");
  const std::int64_t began = device.clock.now_ms();
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::REVERTED);
  EXPECT_LT(device.clock.now_ms() - began, 2000) << "an exit ends the trial at once";
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_GUEST_EXIT);
  EXPECT_EQ(report.why().exit(), "guest exit 1");
  ASSERT_EQ(report.why().console_tail_size(), 2);
  EXPECT_EQ(report.why().console_tail(0), "dns: zone file is broken");
  EXPECT_EQ(report.why().fingerprint().size(), 8u);
  EXPECT_EQ(device.live_release("dns"), 1u);
  EXPECT_TRUE(device.launcher.serves());
  device.run_for(5000);
  EXPECT_EQ(running(), 1u);
}

TEST_F(UpdateTest, AGuestThatNeverAnswersRevertsAtTheDeadline) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  device.scripts[2].console = "dns: listening on 10.213.77.3:5353\n";
  add(2);
  push(2, "a2");
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::REVERTED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_ANSWER);
  EXPECT_EQ(report.why().probes_passed(), 0u);
  EXPECT_GT(report.why().probes_total(), 5u);
  EXPECT_GE(report.why().up_ms(), 10'000u);
  EXPECT_NE(report.why().text().find("no answer: dns www.example.test A, 0 of"),
            std::string::npos);
  EXPECT_EQ(report.detail(), "runs dns 1");
  // The controller now wants what runs on, under the same attempt: that is no news.
  const std::size_t before = device.reports().size();
  push(1, "a2");
  device.run_for(5000);
  EXPECT_EQ(device.reports().size(), before);
  device.run_for(15'000);
  EXPECT_TRUE(device.launcher.serves());
  EXPECT_EQ(running(), 1u);
}

TEST_F(UpdateTest, AFirstInstallThatFailsIsStoppedAndFailed) {
  device.scripts[1].answers_after_ms = -1;
  add(1);
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_ANSWER);
  device.run_for(30'000);
  EXPECT_EQ(running(), 0u);
  EXPECT_EQ(device.live_release("dns"), 0u);
  EXPECT_TRUE(device.guests.published.empty());
}

TEST_F(UpdateTest, ADigestThatFailedHereIsRefusedUntilAskedForAgain) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  add(2);
  push(2, "a2");
  EXPECT_EQ(verdict("a2").state(), fleet::v1::REVERTED);
  push(2, "a3");
  EXPECT_EQ(verdict("a3").why().code(), fleet::v1::CODE_REFUSED_DIGEST);
  device.scripts[2].answers_after_ms = 20;
  auto wish = TestDevice::wish("dns", 2, "a4");
  wish.set_retry_refused(true);
  device.want(wish);
  EXPECT_EQ(verdict("a4").state(), fleet::v1::HEALTHY);
}

TEST_F(UpdateTest, AFullDiskIsToldBeforeTheFirstByte) {
  device.install(1, "a1");
  const std::uint64_t before = device.wire.blob_bytes;
  device.disk->free_as_told = 1000;
  add(2);
  push(2, "a2");
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_SPACE);
  EXPECT_EQ(device.wire.blob_bytes, before);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(UpdateTest, ADiskThatFillsUpWhileStagingChangesNothing) {
  device.install(1, "a1");
  add(2);
  push(2, "a2");
  // Metadata was written when the first report is out; then no byte more goes in.
  device.run_until([&] {
    device.disk->full = device.last("a2").state() == fleet::v1::FETCHING;
    return device.disk->full || device.ended("a2");
  });
  device.disk->full = true;
  add(3);
  push(3, "a3");
  const auto report = verdict("a3");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_SPACE);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(UpdateTest, ATakenPortIsRefusedBeforeAnythingIsFetched) {
  agent::HostSocket socket;
  socket.port = 53;
  socket.protocol = agent::Protocol::udp;
  device.machine.sockets = {socket};
  add(1);
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_PORT_TAKEN);
  EXPECT_EQ(device.wire.blob_bytes, 0u);
}

TEST_F(UpdateTest, ADeviceWithoutAMonitorSaysSo) {
  device.stop();
  device.machine.monitor_usable = false;
  device.start();
  add(1);
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_MONITOR_MISSING);
  EXPECT_NE(report.why().text().find("QEMU is not installed"), std::string::npos);
}

TEST_F(UpdateTest, AnUnknownManifestFieldIsTooNew) {
  auto manifest = make_manifest("dns", 1);
  manifest.mutable_health()->GetReflection()->MutableUnknownFields(manifest.mutable_health())
      ->AddVarint(99, 1);
  repository.add(manifest, "image 1");
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_MANIFEST_TOO_NEW);
}

TEST_F(UpdateTest, AFlippedByteInMetadataIsRefusedAndNothingIsFetched) {
  device.install(1, "a1");
  add(2);
  for (auto& [path, bytes] : repository.files) {
    const bool role = path.find("apps.dns.json") != std::string::npos;
    const std::size_t at = bytes.find("\"version\"");
    if (role && at != std::string::npos) bytes[at + 1] = 'V';
  }
  const std::uint64_t before = device.wire.blob_bytes;
  push(2, "a2");
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_TRUE(report.why().code() == fleet::v1::CODE_BAD_DIGEST ||
              report.why().code() == fleet::v1::CODE_BAD_METADATA ||
              report.why().code() == fleet::v1::CODE_BAD_SIGNATURE)
      << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, before);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(UpdateTest, AnExchangedBlobIsNeverStarted) {
  device.install(1, "a1");
  add(2);
  repository.files[agent::kBlobsPath + ota::sha256("image 2").hex()] = "imagE 2";
  device.launcher.calls.clear();
  push(2, "a2");
  const auto report = verdict("a2");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_BAD_DIGEST);
  EXPECT_TRUE(device.launcher.calls.empty());
}

TEST_F(UpdateTest, AReleaseThatNoRoleListsIsRefused) {
  add(1);
  push(2, "a2");
  EXPECT_EQ(verdict("a2").why().code(), fleet::v1::CODE_NOT_SIGNED);
}

TEST_F(UpdateTest, AYankedReleaseIsNotStaged) {
  add(1);
  add(2);
  repository.yank("dns", 2);
  push(2, "a2");
  EXPECT_EQ(verdict("a2").why().code(), fleet::v1::CODE_YANKED);
}

TEST_F(UpdateTest, AnOlderNumberThanTheConfirmedOneIsRefused) {
  device.install(1, "a1");
  device.install(2, "a2");
  push(1, "a3");
  const auto report = verdict("a3");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_ROLLBACK);
  EXPECT_EQ(device.live_release("dns"), 2u);
}

TEST_F(UpdateTest, AnExpiredTimestampIsRefused) {
  add(1);
  device.clock.wall_base_ms += 3 * 24 * 3'600'000LL;
  push(1, "a1");
  EXPECT_EQ(verdict("a1").why().code(), fleet::v1::CODE_EXPIRED);
}

TEST_F(UpdateTest, ALostWireIsTriedAgainAndADownloadGoesOnWhereItEnded) {
  add(1);
  device.wire.failures_left = 3;
  device.wire.cut_blobs_after = 3;  // of 7 bytes: three pieces
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.state(), fleet::v1::HEALTHY) << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, 7u) << "no byte came twice";
}

TEST_F(UpdateTest, AWireThatStaysCutFailsAtTheDeadlineOfTheWish) {
  add(1);
  device.wire.failures_left = 1'000'000;
  auto wish = TestDevice::wish("dns", 1, "a1");
  wish.set_deadline_ms(60'000);
  device.want(wish);
  const bool ended = device.run_until([&] { return device.ended("a1"); }, 300'000);
  ASSERT_TRUE(ended);
  EXPECT_EQ(device.last("a1").why().code(), fleet::v1::CODE_UNREACHABLE);
}

TEST_F(UpdateTest, ANewerReleaseForAnAppOnTrialFirstRevertsThatTrial) {
  device.install(1, "a1");
  device.scripts[2].answers_after_ms = -1;
  add(2);
  push(2, "a2");
  ASSERT_TRUE(device.run_until([&] { return device.last("a2").state() == fleet::v1::TRIAL; }));
  device.run_for(500);
  add(3);
  push(3, "a3");
  EXPECT_EQ(verdict("a3").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.last("a2").state(), fleet::v1::SUPERSEDED);
  EXPECT_EQ(device.live_release("dns"), 3u);
  device.run_for(15'000);
  EXPECT_EQ(running(), 1u);
}

TEST_F(UpdateTest, WithTooLittleMemoryForBesideItStopsTheOldOneFirstAndStartsItAgainOnARevert) {
  device.install(1, "a1");
  device.machine.memory_free = 8 * proto::kMiB;
  device.scripts[2].answers_after_ms = -1;
  add(2);
  device.launcher.calls.clear();
  push(2, "a2");
  EXPECT_EQ(verdict("a2").state(), fleet::v1::REVERTED);
  ASSERT_GE(device.launcher.calls.size(), 2u);
  EXPECT_EQ(device.launcher.calls[0], "publish 0");
  device.machine.memory_free = 512 * proto::kMiB;
  device.run_for(5000);
  EXPECT_TRUE(device.launcher.serves());
  EXPECT_EQ(device.live_release("dns"), 1u);
}

TEST_F(UpdateTest, ASerialLineThatIsNotLentIsRefusedBeforeAByteIsFetched) {
  auto manifest = make_manifest("dns", 1);
  fleet::v1::HostDevice& line = *manifest.add_devices();
  line.set_name("serial");
  line.set_host("/dev/ttyUSB0");
  line.set_as("console");
  repository.add(manifest, "image 1");
  device.launcher.lent_lines = {"/dev/ttyUSB1"};
  device.stop();
  device.start();
  device.run_for(100);
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_FORBIDDEN);
  EXPECT_NE(report.why().text().find("devices: serial: this device does not lend /dev/ttyUSB0"),
            std::string::npos)
      << report.why().text();
  EXPECT_EQ(device.wire.blob_bytes, 0U);
}

TEST_F(UpdateTest, WithTooLittleMemoryForItAloneItIsRefused) {
  device.machine.memory_free = 6 * proto::kMiB;
  add(1);
  push(1, "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_NO_MEMORY);
  EXPECT_NE(report.why().text().find("6 MiB free, dns needs 16 MiB"), std::string::npos)
      << report.why().text();
}

TEST_F(UpdateTest, ADownloadBudgetIsKept) {
  auto manifest = make_manifest("dns", 1);
  manifest.mutable_update()->set_max_bytes(3);
  repository.add(manifest, "image 1");
  push(1, "a1");
  EXPECT_EQ(verdict("a1").why().code(), fleet::v1::CODE_BUDGET);
}

TEST_F(UpdateTest, AMonitorThatDoesNotStartReverts) {
  device.install(1, "a1");
  add(2);
  device.launcher.refused_starts = 1;
  push(2, "a2");
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::REVERTED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_START_FAILED);
  EXPECT_TRUE(device.launcher.serves());
}

TEST_F(UpdateTest, AClosedDownloadWindowFetchesNothingAndPausesWhatIsUnderWay) {
  add(1);
  push(1, "a1");
  verdict("a1");
  add(2);
  const std::size_t paths = device.wire.paths.size();
  auto wish = TestDevice::wish("dns", 2, "a2");
  wish.set_hold_fetch(true);
  device.want(wish);
  device.run_for(3'600'000);
  EXPECT_EQ(device.wire.paths.size(), paths) << "not a byte";
  EXPECT_TRUE(states("a2").empty());
  EXPECT_EQ(device.live_release("dns"), 1u);

  // It opens, the download is cut, it closes: what came is gone on with next time.
  device.wire.cut_blobs_after = 3;
  wish.set_hold_fetch(false);
  device.want(wish);
  ASSERT_TRUE(device.run_until([&] { return device.wire.blob_bytes > 8; }));
  wish.set_hold_fetch(true);
  device.want(wish);
  device.run_for(1000);
  const std::uint64_t came = device.wire.blob_bytes;
  device.run_for(3'600'000);
  EXPECT_EQ(device.wire.blob_bytes, came);
  EXPECT_FALSE(device.ended("a2"));
  device.wire.cut_blobs_after = 0;
  wish.set_hold_fetch(false);
  device.want(wish);
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.wire.blob_bytes, 7u + 7u) << "image 1 and image 2, each byte once";
}

TEST_F(UpdateTest, AClosedApplyWindowStagesAndWaitsAlsoOverARestart) {
  add(1);
  push(1, "a1");
  verdict("a1");
  add(2);
  auto wish = TestDevice::wish("dns", 2, "a2");
  wish.set_hold_arm(true);
  device.want(wish);
  device.run_for(60'000);
  EXPECT_EQ(device.last("a2").state(), fleet::v1::STAGED);
  EXPECT_EQ(device.live_release("dns"), 1u);
  device.stop();
  device.start();
  device.run_for(60'000);
  EXPECT_EQ(device.last("a2").state(), fleet::v1::STAGED);

  // The download window closed meanwhile: all of it is here.
  const std::uint64_t came = device.wire.blob_bytes;
  wish.set_hold_arm(false);
  wish.set_hold_fetch(true);
  device.want(wish);
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(device.wire.blob_bytes, came);
  EXPECT_EQ(device.live_release("dns"), 2u);
}

TEST_F(UpdateTest, ATrialGoesOnWhenAWindowCloses) {
  add(1);
  device.scripts[1].answers_after_ms = 2000;
  auto wish = TestDevice::wish("dns", 1, "a1");
  device.want(wish);
  ASSERT_TRUE(device.run_until([&] { return device.last("a1").state() == fleet::v1::TRIAL; }));
  wish.set_hold_fetch(true);
  wish.set_hold_arm(true);
  device.want(wish);
  EXPECT_EQ(verdict("a1").state(), fleet::v1::HEALTHY);
}

}  // namespace
