// Devices that obeyed a newer word than this controller knows: seen at their Hello, left alone by
// everything, and given back to the fleet by a person alone.
#include <gtest/gtest.h>

#include <filesystem>

#include "controller/overview.h"
#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

namespace fs = std::filesystem;
using proto::Code;

struct AheadTest : ::testing::Test {
  World world;
  const fs::path data = world.directory / "controller";
  const fs::path backup = world.directory / "backup";
  v1::MetadataUpload seen;   // what the operator holds
  std::uint64_t before = 0;  // the generation of edge-2 at the backup
  std::uint64_t newest = 0;  // the one that edge-1 obeyed last

  // A backup with dns 1 everywhere; then edge-1 alone gets dns 2, and the backup comes back.
  AheadTest() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2"}) {
      world.enroll(name);
      world.online(name);
    }
    push("edge");
    for (const char* name : {"edge-1", "edge-2"}) {
      EXPECT_TRUE(world.report(name, v1::HEALTHY, 1).has_value());
    }
    before = static_cast<std::uint64_t>(world.generation("edge-2"));
    world.stop();
    fs::copy(data, backup, fs::copy_options::recursive);
    world.start();
    for (const char* name : {"edge-1", "edge-2"}) world.online(name);
    world.clock.advance(60'000);
    push("edge-1");
    EXPECT_TRUE(world.report("edge-1", v1::HEALTHY, 2).has_value());
    newest = static_cast<std::uint64_t>(world.generation("edge-1"));
    seen = world.seen();
    world.stop();
    fs::remove_all(data);
    fs::copy(backup, data, fs::copy_options::recursive);
    world.start();
    world.clock.advance(60'000);
  }
  std::int64_t push(const std::string& selector) {
    const auto begun = world.push(world.next_push(selector, "image " + std::to_string(++images)));
    EXPECT_TRUE(begun.has_value()) << (begun ? "" : begun.error().what);
    return begun ? begun->number : 0;
  }
  void hello(const std::string& name, std::uint64_t applied, const v1::AppStatus& app) {
    const std::string id = world.id_of(name);
    v1::Telemetry facts;
    *facts.add_apps() = app;
    ASSERT_TRUE(world.store->set_facts(id, facts, world.clock.wall_ms()).has_value());
    ASSERT_TRUE(
        world.store->set_hello(id, "1", "", static_cast<std::int64_t>(applied)).has_value());
    ASSERT_TRUE(world.fleet->compare_generation(id, applied).has_value());
    world.online(name);
  }
  static v1::AppStatus runs(std::uint64_t release) {
    v1::AppStatus app;
    app.set_app("dns");
    app.set_live_release(release);
    app.set_highest_confirmed(release);
    return app;
  }
  void both_return() {
    hello("edge-1", newest, runs(2));
    hello("edge-2", before, runs(1));
  }
  bool is_ahead(const std::string& name) { return world.fleet->is_ahead(world.id_of(name)); }
  v1::AcceptResult accept(const std::string& name) {
    const Subject subject = *world.store->subject(world.id_of(name));
    const auto result = world.fleet->accept({subject}, "ana");
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().what);
    return result ? *result : v1::AcceptResult();
  }

  int images = 0;
};

TEST_F(AheadTest, WhoObeyedANewerWordIsLeftAloneAndNamed) {
  both_return();
  EXPECT_TRUE(is_ahead("edge-1"));
  EXPECT_FALSE(is_ahead("edge-2")) << "it was told nothing since the backup";
  EXPECT_EQ(world.wish("edge-1")->release(), 1u) << "the old word is there, ";
  const auto told = world.fleet->desired_of(world.id_of("edge-1"));
  EXPECT_EQ(told->apps_size(), 0) << "and is not said";
  EXPECT_EQ(told->generation(), newest) << "a repeated one changes nothing on the device";
  EXPECT_EQ(world.fleet->desired_of(world.id_of("edge-2"))->apps_size(), 1);
  const auto row = world.store->device_by_name("edge-1");
  EXPECT_EQ((*row)->ahead_ms, world.clock.wall_ms());
  EXPECT_NE((*row)->ahead_text.find("it runs dns 2, dns is known up to 1"), std::string::npos)
      << (*row)->ahead_text;
  EXPECT_EQ(world.store->count_devices(0, 0)->ahead, 1);
}

TEST_F(AheadTest, NobodyIsAheadWhoWasToldByThisController) {
  hello("edge-2", before, runs(1));
  world.offline("edge-2");
  world.clock.advance(60'000);
  ASSERT_TRUE(world.upload(seen).has_value());
  push("edge-2");  // it is not there
  hello("edge-2", before, runs(1));
  const auto told = static_cast<std::uint64_t>(world.generation("edge-2"));
  world.restart();
  hello("edge-2", told, runs(1));
  push("edge-2");  // it is there
  const auto newest_told = static_cast<std::uint64_t>(world.generation("edge-2"));
  world.restart();  // which takes back what it did not answer, and does not tell it yet
  world.clock.advance(60'000);
  hello("edge-2", newest_told, runs(4));
  EXPECT_FALSE(is_ahead("edge-2"));
}

// Our own numbers rise with the time, so that the newest of them says nothing.
TEST_F(AheadTest, AlsoWhenOurNumbersRoseAboveItMeanwhile) {
  ASSERT_TRUE(world.upload(seen).has_value());
  push("edge-1");
  ASSERT_GT(static_cast<std::uint64_t>(world.generation("edge-1")), newest);
  hello("edge-1", newest, runs(2));
  EXPECT_TRUE(is_ahead("edge-1"));
}

TEST_F(AheadTest, StaysSoWhateverRestarts) {
  both_return();
  const std::int64_t since = (*world.store->device_by_name("edge-1"))->ahead_ms;
  world.restart();
  EXPECT_TRUE(is_ahead("edge-1"));
  world.clock.advance(60'000);
  hello("edge-1", newest, runs(2));
  EXPECT_EQ((*world.store->device_by_name("edge-1"))->ahead_ms, since);
  EXPECT_EQ(world.fleet->desired_of(world.id_of("edge-1"))->generation(), newest);
}

TEST_F(AheadTest, APushGoesToTheOthersAndReachesItOnceItIsAccepted) {
  both_return();
  ASSERT_TRUE(world.upload(seen).has_value());
  const std::int64_t third = push("edge");
  EXPECT_EQ(world.wish("edge-2")->release(), 3u);
  EXPECT_EQ(world.wish("edge-1")->release(), 1u);
  ASSERT_TRUE(world.report("edge-2", v1::HEALTHY, 3).has_value());
  EXPECT_EQ(world.rollout(third).state, v1::ROLLOUT_SUCCEEDED) << "it does not wait for it";
  EXPECT_EQ(world.state(third, "edge-1"), v1::WAITING);
  const auto row = world.store->rollout_device(third, world.id_of("edge-1"));
  EXPECT_NE((*row)->row.detail().find("fleetctl device accept edge-1"), std::string::npos);
  ASSERT_TRUE(world.fleet->relabelled(*world.store->subject(world.id_of("edge-1"))).has_value());
  EXPECT_EQ(world.wish("edge-1")->release(), 1u) << "a label is no decision";
  EXPECT_EQ(accept("edge-1").accepted_size(), 1);
  EXPECT_EQ(world.wish("edge-1")->release(), 3u) << "above what it runs";
  EXPECT_EQ(world.fleet->desired_of(world.id_of("edge-1"))->apps_size(), 1);
}

TEST_F(AheadTest, WhatIsForItAloneIsRefusedAndSaysWhatToDo) {
  both_return();
  ASSERT_TRUE(world.upload(seen).has_value());
  const auto role = world.role;
  const auto pushed = world.push(world.next_push("edge-1", "image 9"));
  world.role = role;
  ASSERT_FALSE(pushed.has_value());
  EXPECT_EQ(pushed.error().code, Code::conflict);
  EXPECT_NE(pushed.error().what.find("fleetctl device accept --to edge-1"), std::string::npos);
  for (const char* selector : {"edge-1", "edge"}) {
    const auto ordered = world.order(v1::ORDER_STOP, selector);
    ASSERT_FALSE(ordered.has_value()) << selector;
    EXPECT_EQ(ordered.error().code, Code::conflict);
    EXPECT_EQ(world.wish("edge-1")->run(), v1::RUN);
  }
  EXPECT_TRUE(world.order(v1::ORDER_STOP, "edge-2").has_value());
}

TEST_F(AheadTest, AcceptedWhatItRunsIsWantedAndOldWordsAreNot) {
  both_return();
  v1::DesiredApp old;
  old.set_app("web");
  old.set_release(1);
  old.set_run(v1::RUN);
  ASSERT_TRUE(world.store->set_desired(world.id_of("edge-1"), old).has_value());
  const v1::AcceptResult result = accept("edge-1");
  ASSERT_EQ(result.accepted_size(), 1);
  EXPECT_EQ(result.accepted(0), "edge-1");
  EXPECT_FALSE(is_ahead("edge-1"));
  const auto told = world.fleet->desired_of(world.id_of("edge-1"));
  ASSERT_EQ(told->apps_size(), 1) << "web is not there, and not wanted";
  EXPECT_EQ(told->apps(0).release(), 2u);
  EXPECT_EQ(told->apps(0).run(), v1::RUN);
  EXPECT_EQ(told->apps(0).rollout(), "");
  EXPECT_GT(told->generation(), newest) << "or it would not hear it";
  Store::AuditQuestion newest_entry;
  newest_entry.limit = 1;
  const auto log = world.store->audit(newest_entry);
  EXPECT_EQ(log->front().action(), "device.accepted");
  EXPECT_EQ(log->front().detail(), "dns 2");
  EXPECT_EQ(accept("edge-1").accepted_size(), 0) << "said again, it changes nothing";
  world.restart();
  EXPECT_FALSE(is_ahead("edge-1"));
  hello("edge-1", told->generation(), runs(2));
  EXPECT_FALSE(is_ahead("edge-1")) << "it heard us";
}

TEST_F(AheadTest, AStoppedAppStaysStopped) {
  v1::AppStatus stopped = runs(2);
  stopped.set_stopped(true);
  hello("edge-1", newest, stopped);
  EXPECT_EQ(accept("edge-1").accepted_size(), 1);
  EXPECT_EQ(world.wish("edge-1")->run(), v1::STOP);
}

// The rollout of before goes on in the backup; the device has left it behind.
TEST_F(AheadTest, AnOldRolloutDoesNotTakeItBack) {
  const std::int64_t again = world.order(v1::ORDER_RESTART, "edge-1")->number;
  hello("edge-1", newest, runs(2));
  EXPECT_EQ(accept("edge-1").accepted_size(), 1);
  EXPECT_EQ(world.state(again, "edge-1"), v1::SUPERSEDED);
  EXPECT_EQ(world.wish("edge-1")->release(), 2u);
}

TEST_F(AheadTest, WhoIsOfflineOrTriesSomethingHasToWait) {
  v1::AppStatus trying = runs(2);
  trying.mutable_b()->set_state(v1::ON_TRIAL);
  hello("edge-1", newest, trying);
  v1::AcceptResult result = accept("edge-1");
  ASSERT_EQ(result.left_size(), 1);
  EXPECT_NE(result.left(0).why().find("dns is on trial"), std::string::npos);
  world.offline("edge-1");
  hello("edge-1", newest, runs(2));
  world.offline("edge-1");
  result = accept("edge-1");
  ASSERT_EQ(result.left_size(), 1);
  EXPECT_NE(result.left(0).why().find("offline"), std::string::npos);
  EXPECT_TRUE(is_ahead("edge-1"));
}

TEST_F(AheadTest, AnImpossibleGenerationIsRefused) {
  EXPECT_FALSE(world.fleet->compare_generation(world.id_of("edge-1"), ~std::uint64_t{0}));
  EXPECT_FALSE(is_ahead("edge-1"));
}

// What people and programs are told.
struct AheadApiTest : ::testing::Test, ApiWorld {
  AheadApiTest() {
    world.set_up_trust();
    world.enroll("edge-1");
    EXPECT_TRUE(world.fleet->compare_generation(world.id_of("edge-1"), 9'000'000'000'000));
    world.online("edge-1");
  }
};

TEST_F(AheadApiTest, EveryPlaceNamesIt) {
  const auto device =
      proto::from_json<v1::Device>(ask("GET", "/v1/devices/edge-1", "viewer").body);
  EXPECT_TRUE(device->has_ahead());
  const auto fleet = proto::from_json<v1::FleetOverview>(ask("GET", "/v1/fleet", "viewer").body);
  ASSERT_EQ(fleet->needs_size(), 1);
  EXPECT_EQ(fleet->needs(0).kind(), "ahead");
  EXPECT_NE(fleet->needs(0).text().find("fleetctl device accept edge-1"), std::string::npos);
  const std::string metrics_text = ask("GET", "/metrics", "viewer").body;
  EXPECT_NE(metrics_text.find("fleet_devices_ahead 1\n"), std::string::npos);
  EXPECT_EQ(ask("POST", "/v1/devices/accept", "viewer", R"({"selector": "all"})").status, 403);
  EXPECT_EQ(ask("POST", "/v1/devices/accept", "deployer", "{}").status, 400);
  EXPECT_EQ(ask("POST", "/v1/devices/accept", "deployer", R"({"selector": "lab"})").status, 404);
  const Response accepted =
      ask("POST", "/v1/devices/accept", "deployer", R"({"selector": "all"})");
  EXPECT_EQ(proto::from_json<v1::AcceptResult>(accepted.body)->accepted(0), "edge-1");
  EXPECT_NE(ask("GET", "/metrics", "viewer").body.find("fleet_devices_ahead 0\n"),
            std::string::npos);
  const auto after = proto::from_json<v1::FleetOverview>(ask("GET", "/v1/fleet", "viewer").body);
  EXPECT_EQ(after->needs_size(), 0);
}

}  // namespace
}  // namespace controller
