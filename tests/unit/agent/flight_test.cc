// Flight records: what is in one, that it is kept with the revert that it explains, how the same
// fault is counted, and that it reaches the controller once.
#include "agent/flight.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/flight_log.h"
#include "tests/unit/agent/fakes.h"

namespace {

using agent::FlightLog;
using fleet::v1::FlightRecord;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;

agent::Guest ended_guest() {
  agent::Guest guest;
  guest.id = "abcdefghijklmnop";
  guest.slot = ota::SlotName::b;
  guest.release = 2;
  guest.attempt = "a2";
  guest.monitor = "spt";
  guest.last.state = agent::InstanceState::exited;
  guest.last.rss_bytes = 3 * proto::kMiB;
  return guest;
}

monitors::ExitReason crash(const std::string& pc) {
  monitors::ExitReason exit;
  exit.code = proto::Code::guest_abort;
  exit.what = "the guest crashed: page fault at " + pc + " after 0.02s";
  exit.trap.emplace();
  exit.trap->set_kind("page fault");
  exit.trap->set_pc(pc);
  return exit;
}

TEST(Flight, ARecordHoldsExitTrapProbesAndTheConsolesEnd) {
  const agent::Guest guest = ended_guest();
  fleet::v1::Health health;
  health.set_healthy_after(3);
  agent::HealthJudge judge(health, 10'000);
  judge.on_probe({false, 2, "no\x1b answer", false, 5}, 7);
  judge.on_probe({true, 1, "answered", true, 20}, 21);
  agent::FlightFacts facts{"dns", guest};
  facts.exit = crash("0x100abc");
  facts.judge = &judge;
  facts.console = "dns: zone example.test\n\x01garbage\n";
  facts.up_ms = 20;
  facts.restarts = 4;
  facts.wall_ms = 77;
  const FlightRecord record = agent::build_flight(facts, proto::Code::unset, "");
  EXPECT_EQ(record.app(), "dns");
  EXPECT_EQ(record.release(), 2u);
  EXPECT_EQ(record.slot(), "B");
  EXPECT_EQ(record.monitor(), "spt");
  EXPECT_EQ(record.why().code(), fleet::v1::CODE_GUEST_ABORT);
  EXPECT_EQ(record.why().exit(), "guest_abort");
  EXPECT_EQ(record.why().restarts(), 4u);
  EXPECT_EQ(record.why().fingerprint().size(), 8u);
  EXPECT_EQ(record.trap().pc(), "0x100abc");
  ASSERT_EQ(record.probes_size(), 2);
  EXPECT_EQ(record.probes(0).at_ms(), 5u);
  EXPECT_EQ(record.probes(0).text(), "no\\x1b answer");
  EXPECT_TRUE(record.probes(1).passed());
  EXPECT_EQ(record.probes(1).text(), "") << "what passed needs no words";
  EXPECT_EQ(record.console(), facts.console) << "raw";
  EXPECT_EQ(record.why().console_tail(1), "\\x01garbage") << "readable";
  EXPECT_EQ(record.last_ms(), 77u);
}

TEST(Flight, WhateverAGuestSaysTheRecordStaysWithinItsBounds) {
  const agent::Guest guest = ended_guest();
  agent::HealthJudge judge(fleet::v1::Health(), 10'000);
  for (std::uint64_t i = 0; i < 500; ++i) {
    judge.on_probe({false, 1, std::string(5000, '\xff'), false, i}, i);
  }
  agent::FlightFacts facts{"dns", guest};
  facts.exit = crash("0x100abc");
  facts.exit->what = std::string(200'000, 'x');
  for (int i = 0; i < 40; ++i) {
    (*facts.exit->trap->mutable_registers())["register_" + std::to_string(i)] =
        "0x0123456789abcdef";
  }
  facts.judge = &judge;
  facts.console = std::string(100'000, '\xfe');
  const FlightRecord record = agent::build_flight(facts, proto::Code::unset, "");
  EXPECT_LE(record.ByteSizeLong(), proto::kFlightRecordBytes);
  EXPECT_EQ(record.probes_size(), static_cast<int>(proto::kFlightProbes));
  EXPECT_EQ(record.probes(59).at_ms(), 499u) << "the last ones";
  EXPECT_LE(record.probes(0).text().size(), proto::kFlightProbeTextBytes);
  EXPECT_EQ(record.console().size(), proto::kFlightConsoleBytes);
  EXPECT_EQ(record.console_offset(), 100'000 - proto::kFlightConsoleBytes);
  EXPECT_LE(record.why().text().size(), 512u);
}

TEST(Flight, ThePlaceOfACrashTellsFaultsApartAndTimesDoNot) {
  const agent::Guest guest = ended_guest();
  const auto print_of = [&guest](const std::string& pc, std::uint64_t up_ms) {
    agent::FlightFacts facts{"dns", guest};
    facts.exit = crash(pc);
    facts.up_ms = up_ms;
    facts.console = "dns: up after " + std::to_string(up_ms) + " ms\n";
    return agent::build_flight(facts, proto::Code::unset, "").why().fingerprint();
  };
  EXPECT_EQ(print_of("0x100abc", 20), print_of("0x100abc", 3000));
  EXPECT_NE(print_of("0x100abc", 20), print_of("0x100def", 20));
}

TEST(Flight, ALostGuestAndOneThatNeverWasAreToldAsSuch) {
  agent::Guest guest = ended_guest();
  guest.lost = true;
  const FlightRecord lost = agent::build_flight({"dns", guest}, proto::Code::unset, "");
  EXPECT_EQ(lost.why().code(), fleet::v1::CODE_LAUNCHER);
  const auto wish = TestDevice::wish("dns", 2, "a2");
  const proto::Error away{proto::Code::monitor_missing, "no qemu", ""};
  const proto::Error other{proto::Code::monitor_missing, "no spt", ""};
  const FlightRecord none = agent::flight_without_guest(wish, away, 7);
  EXPECT_EQ(none.instance(), "");
  EXPECT_EQ(none.release(), 2u);
  EXPECT_EQ(none.why().text(), "no qemu");
  EXPECT_NE(none.why().fingerprint(),
            agent::flight_without_guest(wish, other, 7).why().fingerprint());
}

// --- what is kept

class FlightLogTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = agent::State::open(":memory:");
    ASSERT_TRUE(opened.has_value());
    state = std::move(*opened);
  }
  static FlightRecord fault(const std::string& app, std::uint64_t release,
                            const std::string& fingerprint) {
    FlightRecord record;
    record.set_app(app);
    record.set_release(release);
    record.set_outcome(fleet::v1::FLIGHT_RESTARTED);
    record.mutable_why()->set_fingerprint(fingerprint);
    return record;
  }
  void keep(const FlightRecord& record) {
    ota::Transaction transaction(state->database());
    ASSERT_TRUE(FlightLog::keep(transaction, record).has_value());
    ASSERT_TRUE(transaction.commit().has_value());
  }
  std::optional<FlightRecord> due() { return *FlightLog::next_due(state->database()); }
  void acknowledge(const FlightRecord& record) {
    fleet::v1::FlightAck ack;
    ack.set_id(record.id());
    ack.set_count(record.count());
    ASSERT_TRUE(FlightLog::acknowledge(state->database(), ack).has_value());
  }
  std::uint64_t count() { return *FlightLog::count(state->database()); }

  std::unique_ptr<agent::State> state;
};

TEST_F(FlightLogTest, TheSameFaultInARowIsOneRecordSentAtEachDoubling) {
  std::vector<std::uint32_t> sent;
  std::string id;
  for (int i = 0; i < 20; ++i) {
    FlightRecord again = fault("dns", 2, "aaaaaaaa");
    again.set_first_ms(static_cast<std::uint64_t>(i));
    again.set_last_ms(static_cast<std::uint64_t>(i));
    keep(again);
    while (const auto next = due()) {
      sent.push_back(next->count());
      EXPECT_TRUE(id.empty() || id == next->id()) << "one record";
      id = next->id();
      acknowledge(*next);
    }
  }
  EXPECT_EQ(sent, (std::vector<std::uint32_t>{1, 2, 4, 8, 16}));
  EXPECT_EQ(count(), 1u);
  const auto newest = *FlightLog::newest(state->database());
  EXPECT_EQ(newest->count(), 20u);
  EXPECT_EQ(newest->first_ms(), 0u);
  EXPECT_EQ(newest->last_ms(), 19u);
}

TEST_F(FlightLogTest, AnAcknowledgementOfAnOlderCountLeavesTheNewerDue) {
  keep(fault("dns", 2, "aaaaaaaa"));
  const auto first = due();
  keep(fault("dns", 2, "aaaaaaaa"));
  acknowledge(*first);
  ASSERT_TRUE(due().has_value());
  EXPECT_EQ(due()->count(), 2u);
  keep(fault("dns", 2, "aaaaaaaa"));  // three: what is sent now says so, and is enough
  EXPECT_EQ(due()->count(), 3u);
  acknowledge(*due());
  EXPECT_FALSE(due().has_value());
}

TEST_F(FlightLogTest, ARecordThatExplainsAReportIsAlwaysSent) {
  for (int i = 0; i < 3; ++i) keep(fault("dns", 2, "aaaaaaaa"));
  acknowledge(*due());
  FlightRecord reverted = fault("dns", 2, "aaaaaaaa");
  reverted.set_outcome(fleet::v1::FLIGHT_REVERTED);
  keep(reverted);
  acknowledge(*due());
  keep(reverted);  // the fifth
  ASSERT_TRUE(due().has_value());
  EXPECT_EQ(due()->outcome(), fleet::v1::FLIGHT_REVERTED);
}

TEST_F(FlightLogTest, AnotherFaultReleaseOrAppIsARecordOfItsOwn) {
  keep(fault("dns", 2, "aaaaaaaa"));
  keep(fault("dns", 2, "bbbbbbbb"));
  keep(fault("dns", 2, "aaaaaaaa"));
  keep(fault("dns", 3, "aaaaaaaa"));
  keep(fault("web", 3, "aaaaaaaa"));
  keep(fault("dns", 3, "aaaaaaaa"));
  EXPECT_EQ(count(), 5u);
  EXPECT_EQ((*FlightLog::newest(state->database()))->count(), 2u);
}

TEST_F(FlightLogTest, TheOldestGoFirstOfAnAppAndOfTheDevice) {
  for (std::uint64_t release = 1; release <= 30; ++release) keep(fault("dns", release, "aaaaaaaa"));
  EXPECT_EQ(count(), proto::kFlightsPerApp);
  EXPECT_EQ(due()->release(), 11u);
  for (int app = 0; app < 12; ++app) {
    for (std::uint64_t release = 1; release <= 20; ++release) {
      keep(fault("app-" + std::to_string(app), release, "aaaaaaaa"));
    }
  }
  EXPECT_EQ(count(), proto::kFlightsPerDevice);
  EXPECT_EQ(due()->app(), "app-2") << "dns went first, then what came after it";
}

TEST_F(FlightLogTest, WhatIsNotCommittedIsNotThere) {
  {
    ota::Transaction transaction(state->database());
    ASSERT_TRUE(FlightLog::keep(transaction, fault("dns", 1, "aaaaaaaa")).has_value());
  }
  EXPECT_EQ(count(), 0u);
}

// --- on a device

class FlightDeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
    device.install(1, "a1");
  }
  std::vector<FlightRecord> kept() {
    std::vector<FlightRecord> out;
    ota::Statement rows(device.state->database(), "SELECT record FROM flights ORDER BY number");
    while (*rows.step()) {
      const auto bytes = rows.bytes(0);
      EXPECT_TRUE(out.emplace_back().ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    }
    return out;
  }
  void push_crash(const std::string& attempt) {
    device.scripts[2].exits_after_ms = 30;
    device.scripts[2].exit_status = 1;
    device.scripts[2].console = "dns: zone file is broken\n";
    repository.add(tests::make_manifest("dns", 2), "image 2");
    device.want(TestDevice::wish("dns", 2, attempt));
    ASSERT_TRUE(device.run_until([&] { return device.ended(attempt); }));
  }

  Repository repository{kNow};
  TestDevice device{repository};
};

TEST_F(FlightDeviceTest, ARevertedTrialLeavesItsRecordWithTheReportsFingerprint) {
  push_crash("a2");
  ASSERT_EQ(kept().size(), 1u);
  const FlightRecord record = kept().front();
  EXPECT_EQ(record.outcome(), fleet::v1::FLIGHT_TRIAL_FAILED);
  EXPECT_EQ(record.attempt(), "a2");
  EXPECT_EQ(record.exit_status(), 1);
  EXPECT_EQ(record.console(), "dns: zone file is broken\n");
  EXPECT_EQ(record.why().fingerprint(), device.last("a2").why().fingerprint());
  EXPECT_EQ(record.id().size(), proto::kIdLength);
  device.stop();
  device.start();
  EXPECT_EQ(kept().size(), 1u) << "it survives the agent";
}

TEST_F(FlightDeviceTest, ATrialThatGotNoGuestHasARecordToo) {
  repository.add(tests::make_manifest("dns", 2), "image 2");
  device.launcher.refused_starts = 100;
  device.want(TestDevice::wish("dns", 2, "a2"));
  ASSERT_TRUE(device.run_until([&] { return device.ended("a2"); }));
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept().front().instance(), "");
  EXPECT_EQ(kept().front().why().code(), fleet::v1::CODE_START_FAILED);
  EXPECT_FALSE(device.last("a2").why().fingerprint().empty());
}

TEST(FlightFirst, AFirstInstallThatFailsIsToldAsSuch) {
  Repository repository{kNow};
  TestDevice device{repository};
  device.start();
  device.run_for(100);
  device.scripts[1].exits_after_ms = 5;
  repository.add(tests::make_manifest("dns", 1), "image 1");
  device.want(TestDevice::wish("dns", 1, "a1"));
  ASSERT_TRUE(device.run_until([&] { return device.ended("a1"); }));
  const auto newest = *FlightLog::newest(device.state->database());
  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(newest->outcome(), fleet::v1::FLIGHT_FIRST_FAILED);
  EXPECT_EQ(newest->why().fingerprint(), device.last("a1").why().fingerprint());
}

TEST_F(FlightDeviceTest, ASupersededTrialIsNoFault) {
  repository.add(tests::make_manifest("dns", 2), "image 2");
  device.scripts[2].answers_after_ms = -1;
  device.want(TestDevice::wish("dns", 2, "a2"));
  ASSERT_TRUE(device.run_until(
      [&] { return device.last("a2").state() == fleet::v1::TRIAL; }));
  device.install(3, "a3");
  EXPECT_EQ(device.last("a2").state(), fleet::v1::SUPERSEDED);
  EXPECT_TRUE(device.last("a2").why().fingerprint().empty());
  EXPECT_TRUE(kept().empty());
}

TEST_F(FlightDeviceTest, ACrashLoopIsOneRecordThatCountsAndEndsAsReverted) {
  device.install(2, "a2");
  device.run_for(15'000);
  device.scripts[2].exits_after_ms = 100;
  ASSERT_TRUE(device.run_until(
      [&] { return device.last("a2").state() == fleet::v1::REVERTED; }));
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept().front().outcome(), fleet::v1::FLIGHT_REVERTED);
  EXPECT_EQ(kept().front().why().code(), fleet::v1::CODE_CRASH_LOOP);
  EXPECT_GT(kept().front().count(), 1u);
  EXPECT_EQ(kept().front().why().fingerprint(), device.last("a2").why().fingerprint());
}

TEST_F(FlightDeviceTest, AnUnhealthyGuestOutOfTheWatchIsRecordedAsStartedAgain) {
  device.scripts[1].stops_answering_ms = 700'000;
  ASSERT_TRUE(device.run_until([&] { return !kept().empty(); }, 900'000));
  EXPECT_EQ(kept().front().outcome(), fleet::v1::FLIGHT_RESTARTED);
  EXPECT_EQ(kept().front().why().code(), fleet::v1::CODE_UNHEALTHY);
  ASSERT_EQ(kept().front().probes_size(), static_cast<int>(proto::kFlightProbes));
  EXPECT_FALSE(kept().front().probes(59).passed());
  EXPECT_GT(kept().front().probes(59).at_ms(), 600'000u) << "counted from the guest's start";
}

}  // namespace
