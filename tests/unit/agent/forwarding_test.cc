// An app between two bridges: never two of it forward, its ports follow the live release whatever
// was cut, its bypass goes with it, and it brings the controller link back or goes.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/uplink.h"
#include "proto/manifest.h"
#include "tests/unit/agent/fakes.h"

namespace {

using agent::Instance;
using agent::InstanceState;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::uint64_t kUplinkMs = 60'000;

void forwards(fleet::v1::AppManifest& manifest) {
  manifest.clear_publish();
  fleet::v1::Interface mgmt = manifest.network(0);
  mgmt.set_name("mgmt");
  manifest.clear_network();
  for (const char* name : {"wan", "lan"}) {
    fleet::v1::Interface& port = *manifest.add_network();
    port.set_name(name);
    port.set_bridge(std::string("br-") + name);
    port.set_address("none");
    port.set_promiscuous(true);
    port.mutable_egress()->set_any(true);
  }
  *manifest.add_network() = mgmt;
  manifest.set_on_down(fleet::v1::DROP);
}

class ForwardingTest : public testing::Test {
 protected:
  void SetUp() override {
    device.launcher.allowed_bypasses = {pair};
    device.start();
    device.run_for(100);
  }
  fleet::v1::AppManifest firewall(std::uint64_t release) {
    auto manifest = make_manifest("dns", release);
    forwards(manifest);
    return manifest;
  }
  fleet::v1::AppManifest bypassed(std::uint64_t release) {
    auto manifest = firewall(release);
    manifest.set_on_down(fleet::v1::BYPASS);
    return manifest;
  }
  fleet::v1::AppManifest with_uplink(std::uint64_t release) {
    auto manifest = firewall(release);
    manifest.mutable_update()->set_uplink_ms(kUplinkMs);
    return manifest;
  }
  void want(const fleet::v1::AppManifest& manifest, const std::string& attempt) {
    repository.add(manifest, "image " + std::to_string(manifest.release()));
    device.want(TestDevice::wish("dns", manifest.release(), attempt));
  }
  fleet::v1::Report verdict(const std::string& attempt) {
    EXPECT_TRUE(device.run_until([&] { return device.ended(attempt); })) << "no verdict";
    return device.last(attempt);
  }
  void install(const fleet::v1::AppManifest& manifest, const std::string& attempt) {
    want(manifest, attempt);
    ASSERT_EQ(verdict(attempt).state(), fleet::v1::HEALTHY) << device.last(attempt).why().text();
  }
  // Releases of those that run, with ports up and without.
  std::vector<std::uint64_t> running(bool ports_up) {
    std::vector<std::uint64_t> out;
    for (const Instance& one : device.guests.instances) {
      if (one.state != InstanceState::running || one.ports_up != ports_up) continue;
      out.push_back(agent::read_tag(one.tag)->release);
    }
    return out;
  }
  std::vector<std::uint64_t> up() { return running(true); }
  std::vector<std::uint64_t> down() { return running(false); }
  // Guests that run are looked at after every event: two that forward would be a loop.
  void watch_for_loops() {
    device.after_each_event = [this] {
      if (up().size() > 1) ++loops;
    };
  }
  void link_comes() {
    device.agent->device().link_up = true;
    device.agent->device().link_since_ms = device.clock.now_ms();
  }

  const agent::BridgePair pair = launcher::bridge_pair("br-wan", "br-lan");
  std::size_t loops = 0;
  Repository repository{kNow};
  TestDevice device{repository};
};

using Releases = std::vector<std::uint64_t>;

TEST_F(ForwardingTest, ATrialHasItsPortsDownUntilItIsConfirmed) {
  watch_for_loops();
  install(firewall(1), "a1");
  EXPECT_EQ(up(), Releases{1});
  device.scripts[2].answers_after_ms = 2000;
  want(firewall(2), "a2");
  ASSERT_TRUE(device.run_until([&] { return !down().empty(); }));
  EXPECT_EQ(up(), Releases{1});
  EXPECT_EQ(down(), Releases{2});
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  EXPECT_EQ(up(), Releases{2});
  device.run_for(20'000);
  EXPECT_EQ(up(), Releases{2});
  EXPECT_TRUE(down().empty());
  EXPECT_EQ(loops, 0U);
}

TEST_F(ForwardingTest, AnOldOneThatIsDownComesUpAgainBesideATrialWithoutALoop) {
  install(firewall(1), "a1");
  device.scripts[1].exits_after_ms = 1;  // down when the trial begins
  device.run_for(150);
  device.scripts[1].exits_after_ms = -1;
  device.scripts[2].answers_after_ms = 5000;
  watch_for_loops();
  want(firewall(2), "a2");
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY) << device.last("a2").why().text();
  EXPECT_EQ(up(), Releases{2});
  EXPECT_EQ(loops, 0U);
}

TEST_F(ForwardingTest, PortsFollowTheLiveReleaseWhereAnAgentWasKilledBeforeTheFlip) {
  install(firewall(1), "a1");
  device.launcher.refuses_hand_over = true;
  want(firewall(2), "a2");
  ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 2; }));
  device.stop();
  // As it was between confirm and flip.
  for (Instance& one : device.guests.instances) {
    if (one.state == InstanceState::running) {
      one.ports_up = agent::read_tag(one.tag)->release == 1;
    }
  }
  device.start();
  watch_for_loops();
  device.run_for(5000);
  EXPECT_EQ(up(), Releases{2});
  EXPECT_TRUE(down().empty());
  EXPECT_EQ(loops, 0U);
}

TEST_F(ForwardingTest, AFlipThatIsRefusedIsDoneByTheNextLook) {
  install(firewall(1), "a1");
  device.launcher.refuses_hand_over = true;
  watch_for_loops();
  install(firewall(2), "a2");
  device.run_for(2000);
  EXPECT_EQ(up(), Releases{2});
  EXPECT_EQ(loops, 0U);
}

TEST_F(ForwardingTest, AWayBackByOrderOrUnderWatchIsNoLoop) {
  install(firewall(1), "a1");
  install(firewall(2), "a2");
  watch_for_loops();
  auto wish = TestDevice::wish("dns", 2, "back");
  wish.set_fall_back(1);
  device.want(wish);
  EXPECT_EQ(verdict("back").state(), fleet::v1::HEALTHY) << device.last("back").why().text();
  EXPECT_EQ(up(), Releases{1});
  install(firewall(3), "a3");
  device.launcher.refuses_stops = true;  // what is left takes its time
  const std::string third = device.agent->find("dns")->live->id;
  device.launcher.silent = {third};
  ASSERT_TRUE(device.run_until([&] { return device.last("a3").state() == fleet::v1::REVERTED; }));
  ASSERT_TRUE(device.run_until([&] { return up() == Releases{1}; }, 5000));
  EXPECT_EQ(loops, 0U);
}

TEST_F(ForwardingTest, HealthOfItsManagedInterfaceIsAskedAfterARestartOfTheAgentToo) {
  install(firewall(1), "a1");
  device.stop();
  device.start();
  device.run_for(60'000);
  EXPECT_EQ(device.agent->apps().front().state(), fleet::v1::HEALTHY);
  EXPECT_EQ(std::count(device.launcher.calls.begin(), device.launcher.calls.end(), "start 1"), 1);
}

TEST_F(ForwardingTest, ABypassIsWantedFromTheFirstConfirmUntilTheAppGoes) {
  want(bypassed(1), "a1");
  ASSERT_TRUE(device.run_until([&] { return !up().empty(); }));
  EXPECT_TRUE(device.guests.bypasses.empty()) << "on trial";
  EXPECT_EQ(verdict("a1").state(), fleet::v1::HEALTHY);
  device.run_for(2000);
  EXPECT_EQ(device.guests.bypasses, std::vector{pair});
  auto stop = TestDevice::wish("dns", 1, "s1");
  stop.set_run(fleet::v1::STOP);
  device.want(stop);
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  device.run_for(2000);
  EXPECT_EQ(device.guests.bypasses, std::vector{pair}) << "no instance runs";
  device.stop();
  device.guests.bypasses.clear();  // another launcher
  device.guests.boot_ms = 2;
  device.start();
  device.run_for(2000);
  EXPECT_EQ(device.guests.bypasses, std::vector{pair}) << "the next agent says so too";
  install(firewall(2), "a2");
  device.run_for(2000);
  EXPECT_TRUE(device.guests.bypasses.empty()) << "drop";
  install(bypassed(3), "a3");
  device.run_for(2000);
  EXPECT_EQ(device.guests.bypasses, std::vector{pair});
  auto gone = TestDevice::wish("dns", 3, "gone");
  gone.set_run(fleet::v1::REMOVE);
  device.want(gone);
  EXPECT_EQ(verdict("gone").state(), fleet::v1::REMOVED);
  device.run_for(2000);
  EXPECT_TRUE(device.guests.bypasses.empty());
}

TEST_F(ForwardingTest, ABypassThatTheDeviceDoesNotAllowIsRefusedBeforeAByteIsFetched) {
  device.stop();
  device.launcher.allowed_bypasses.clear();
  device.start();
  device.run_for(100);
  want(bypassed(1), "a1");
  const auto report = verdict("a1");
  EXPECT_EQ(report.state(), fleet::v1::FAILED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_FORBIDDEN);
  EXPECT_NE(report.why().text().find("bypasses = br-lan:br-wan"), std::string::npos);
  EXPECT_EQ(device.wire.blob_bytes, 0U);
}

TEST_F(ForwardingTest, AReleaseThatBringsTheLinkBackIsHealthyThenAndNotBefore) {
  install(firewall(1), "a1");
  link_comes();
  want(with_uplink(2), "a2");
  ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 2; }));
  device.run_for(30'000);
  EXPECT_FALSE(device.ended("a2")) << "the link from before is no proof";
  EXPECT_EQ(device.agent->apps().front().state(), fleet::v1::TRIAL);
  link_comes();
  EXPECT_EQ(verdict("a2").state(), fleet::v1::HEALTHY);
  device.run_for(2 * kUplinkMs);
  device.agent->device().link_up = false;
  device.run_for(2 * kUplinkMs);
  EXPECT_EQ(device.live_release("dns"), 2U) << "it owes nothing any more";
}

TEST_F(ForwardingTest, AReleaseThatLosesTheLinkIsTakenBackAndSaysWhy) {
  install(firewall(1), "a1");
  link_comes();
  watch_for_loops();
  want(with_uplink(2), "a2");
  ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 2; }));
  const std::int64_t began = device.clock.now_ms();
  const auto report = verdict("a2");
  EXPECT_EQ(report.state(), fleet::v1::REVERTED);
  EXPECT_EQ(report.why().code(), fleet::v1::CODE_UPLINK_LOST);
  EXPECT_NE(report.why().text().find("no link to the controller for 1m"), std::string::npos);
  EXPECT_NEAR(static_cast<double>(device.clock.now_ms() - began), kUplinkMs, 3000);
  EXPECT_EQ(device.live_release("dns"), 1U);
  ASSERT_TRUE(device.run_until([&] { return up() == Releases{1}; }, 5000));
  EXPECT_EQ(loops, 0U);
}

TEST_F(ForwardingTest, AfterAStartOfTheAgentAReleaseOwesTheLinkThatItsWishCameBy) {
  install(firewall(1), "a1");
  link_comes();
  device.stop();
  device.start();
  want(with_uplink(2), "a2");
  EXPECT_EQ(verdict("a2").why().code(), fleet::v1::CODE_UPLINK_LOST);
}

TEST_F(ForwardingTest, WithoutALinkBeforeNoneIsOwed) {
  device.agent->device().link_lost_ms -= kUplinkMs + 1000;
  install(with_uplink(1), "a1");
  link_comes();
  device.agent->device().link_up = false;
  device.agent->device().link_lost_ms = device.clock.now_ms();
  device.run_for(static_cast<std::int64_t>(kUplinkMs) + 1000);
  install(with_uplink(2), "a2");
  device.agent->device().link_lost_ms = device.clock.now_ms();  // but just before: that counts
  want(with_uplink(3), "a3");
  EXPECT_EQ(verdict("a3").why().code(), fleet::v1::CODE_UPLINK_LOST);
}

TEST_F(ForwardingTest, ARestartOfTheAgentForgetsNeitherTheLinkNorItsTime) {
  install(firewall(1), "a1");
  link_comes();
  want(with_uplink(2), "a2");
  ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 2; }));
  const std::int64_t began = device.clock.now_ms();
  device.run_for(20'000);
  device.stop();
  device.start();
  EXPECT_EQ(verdict("a2").why().code(), fleet::v1::CODE_UPLINK_LOST);
  EXPECT_NEAR(static_cast<double>(device.clock.now_ms() - began), kUplinkMs, 3000) << "the rest";
  link_comes();
  want(with_uplink(3), "a3");
  ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 3; }));
  device.run_for(55'000);
  device.stop();
  const std::int64_t again = device.clock.now_ms();
  device.start();
  EXPECT_EQ(verdict("a3").why().code(), fleet::v1::CODE_UPLINK_LOST);
  EXPECT_NEAR(static_cast<double>(device.clock.now_ms() - again), 30'000, 3000) << "at least";
}

TEST_F(ForwardingTest, AnAppThatIsStoppedMeanwhileIsJudgedOnceItRunsAgain) {
  install(firewall(1), "a1");
  link_comes();
  want(with_uplink(2), "a2");
  ASSERT_TRUE(device.run_until([&] { return device.live_release("dns") == 2; }));
  auto stop = TestDevice::wish("dns", 2, "s1");
  stop.set_run(fleet::v1::STOP);
  device.want(stop);
  EXPECT_EQ(verdict("s1").state(), fleet::v1::STOPPED);
  device.run_for(3 * static_cast<std::int64_t>(kUplinkMs));
  EXPECT_EQ(device.live_release("dns"), 2U);
  device.want(TestDevice::wish("dns", 2, "s2"));
  device.run_for(10'000);
  link_comes();
  EXPECT_EQ(verdict("s2").state(), fleet::v1::HEALTHY);
}

TEST_F(ForwardingTest, TheWatchLastsUntilTheLinkIsDecided) {
  install(firewall(1), "a1");
  link_comes();
  auto manifest = with_uplink(2);
  manifest.mutable_update()->set_watch_ms(0);
  want(manifest, "a2");
  EXPECT_EQ(verdict("a2").why().code(), fleet::v1::CODE_UPLINK_LOST);
}

}  // namespace
