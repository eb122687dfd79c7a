// The fleet as counts, tiles, needs and rows: they follow what is written, and count each device
// once.
#include "controller/overview.h"

#include "controller/release_history.h"
#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

struct OverviewTest : ::testing::Test, ApiWorld {
  OverviewTest() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2", "edge-3"}) {
      world.enroll(name);
      world.online(name);
    }
    label("edge-1", "lyon");
    label("edge-2", "lyon");
    label("edge-3", "paris");
  }
  void label(const std::string& device, const std::string& site) {
    ASSERT_TRUE(world.store->set_label(world.id_of(device), "site", site));
  }
  void facts(const std::string& device, std::uint64_t release, std::uint64_t free_bytes,
             v1::DeviceState state = v1::HEALTHY) {
    v1::Telemetry told;
    told.mutable_inventory()->set_memory_free_bytes(free_bytes);
    told.mutable_inventory()->set_board("board-a");
    v1::AppStatus* app = told.add_apps();
    app->set_app("dns");
    app->set_live_release(release);
    app->set_state(state);
    ASSERT_TRUE(world.store->set_facts(world.id_of(device), told, world.clock.wall_ms()));
  }
  v1::FleetOverview look(const std::string& by = "") {
    Request head = request("GET", "/v1/fleet", "viewer");
    if (!by.empty()) head.query["by"] = by;
    const Response response = ask(head);
    EXPECT_EQ(response.status, 200) << response.body;
    return *proto::from_json<v1::FleetOverview>(response.body);
  }
  Response list_answer(const std::string& name, const std::string& value) {
    Request head = request("GET", "/v1/fleet/devices", "viewer");
    if (!name.empty()) head.query[name] = value;
    return ask(head);
  }
  v1::DeviceSummaryList list(const std::string& name = "", const std::string& value = "") {
    const Response response = list_answer(name, value);
    EXPECT_EQ(response.status, 200) << response.body;
    return *proto::from_json<v1::DeviceSummaryList>(response.body);
  }
  std::string names(const v1::DeviceSummaryList& found) {
    std::string out;
    for (const v1::DeviceSummary& device : found.devices()) out += device.name() + " ";
    return out;
  }
};

TEST_F(OverviewTest, CountsFollowEachChangeOfADevice) {
  EXPECT_EQ(look().online(), 3u);
  world.offline("edge-2");
  EXPECT_EQ(look().offline(), 1u);
  EXPECT_EQ(look().online(), 2u);
  facts("edge-1", 1, 1 << 30, v1::TRIAL);
  EXPECT_EQ(look().updating(), 1u);
  facts("edge-1", 1, 1 << 30);
  EXPECT_EQ(look().updating(), 0u);
  ASSERT_TRUE(world.store->revoke_device(world.id_of("edge-3")));
  EXPECT_EQ(look().devices(), 2u);
  world.enroll("edge-4");
  EXPECT_EQ(look().devices(), 3u);
}

TEST_F(OverviewTest, AnotherReaderOfTheStoreTakesNothingAwayFromIt) {
  look();
  label("edge-3", "lyon");
  EXPECT_EQ(list("selector", "site=lyon").matched(), 3u);
  EXPECT_EQ(look("site").tiles(0).devices(), 3u);
}

TEST_F(OverviewTest, TilesCountBySiteIfThereIsOneElseByWhatIsAsked) {
  v1::FleetOverview fleet = look();
  EXPECT_EQ(fleet.by(), "site");
  ASSERT_EQ(fleet.tiles_size(), 2);
  EXPECT_EQ(fleet.tiles(0).key(), "lyon") << "the largest first";
  EXPECT_EQ(fleet.tiles(0).ok(), 2u);
  world.offline("edge-1");
  fleet = look("site");
  EXPECT_EQ(fleet.tiles(0).offline(), 1u);
  EXPECT_EQ(fleet.tiles(0).ok(), 1u);
  facts("edge-3", 7, 1 << 30);
  fleet = look("release");
  ASSERT_EQ(fleet.tiles_size(), 2);
  EXPECT_EQ(fleet.tiles(0).key(), "") << "two run none";
  EXPECT_EQ(fleet.tiles(1).key(), "dns 7");
  EXPECT_EQ(look("group").tiles(0).key(), "edge");
  EXPECT_EQ(fleet.groupings(0), "site");
}

TEST_F(OverviewTest, TheSameFaultOfManyDevicesIsOneNeedUntilANewerRolloutMendsIt) {
  ASSERT_TRUE(world.push(world.next_push("edge")));
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 0));
  ASSERT_TRUE(world.report("edge-2", v1::REVERTED, 0));
  ASSERT_TRUE(world.report("edge-3", v1::HEALTHY, 1));
  v1::FleetOverview fleet = look();
  EXPECT_EQ(fleet.bad(), 2u);
  ASSERT_GE(fleet.needs_size(), 1);
  EXPECT_EQ(fleet.needs(0).kind(), "fault");
  EXPECT_EQ(fleet.needs(0).devices(), 2u);
  EXPECT_EQ(fleet.needs(0).names(1), "edge-2");
  EXPECT_EQ(fleet.needs(0).rollout(), "r-1");
  EXPECT_EQ(names(list("state", "bad")), "edge-1 edge-2 ");
  EXPECT_EQ(list("state", "bad").devices(0).note().rfind("dns 1 reverted", 0), 0u);
  ASSERT_TRUE(world.push(world.next_push("edge", "image 2")));
  for (const char* name : {"edge-1", "edge-2", "edge-3"}) {
    ASSERT_TRUE(world.report(name, v1::HEALTHY, 2));
  }
  fleet = look();
  EXPECT_EQ(fleet.bad(), 0u);
  EXPECT_EQ(fleet.needs_size(), 0);
}

TEST_F(OverviewTest, WhatDevicesNeedIsToldOneByOneOrTogether) {
  facts("edge-1", 0, 6 << 20);
  v1::FleetOverview fleet = look();
  ASSERT_EQ(fleet.needs_size(), 1);
  EXPECT_EQ(fleet.needs(0).kind(), "memory");
  EXPECT_EQ(fleet.needs(0).text(), "6 MiB free");
  world.offline("edge-2");
  world.offline("edge-3");
  EXPECT_EQ(look().needs_size(), 3);
  world.offline("edge-1");
  world.enroll("edge-4");
  fleet = look();
  ASSERT_EQ(fleet.needs_size(), 1) << "four that are offline are one line";
  EXPECT_EQ(fleet.needs(0).devices(), 4u);
}

TEST_F(OverviewTest, RowsAreFoundBySelectorStateAndPart) {
  EXPECT_EQ(names(list()), "edge-1 edge-2 edge-3 ");
  EXPECT_EQ(names(list("selector", "site=paris")), "edge-3 ");
  EXPECT_EQ(names(list("search", "lyo")), "edge-1 edge-2 ");
  EXPECT_EQ(names(list("search", "edge-2")), "edge-2 ");
  world.offline("edge-1");
  EXPECT_EQ(names(list("state", "offline")), "edge-1 ");
  EXPECT_EQ(names(list("state", "online")), "edge-2 edge-3 ");
  EXPECT_EQ(names(list("state", "offline,ok")), "edge-1 edge-2 edge-3 ");
  const auto first = list("limit", "1");
  EXPECT_EQ(names(first), "edge-1 ");
  EXPECT_EQ(first.matched(), 3u);
  EXPECT_EQ(first.fleet_size(), 3u);
  EXPECT_EQ(list("selector", "site=lyonn").nearest(0), "lyon");
  EXPECT_EQ(list_answer("selector", "site=").status, 400);
  EXPECT_EQ(list_answer("state", "sad").status, 400);
  EXPECT_EQ(list_answer("limit", "0").status, 400);
}

TEST_F(OverviewTest, ATokenOfAGroupSeesItsOwnDevicesAndNoTraceOfOthers) {
  world.enroll("lab-1", "lab");
  world.online("lab-1");
  label("lab-1", "oslo");
  ASSERT_TRUE(world.push(world.next_push("edge")));
  ASSERT_TRUE(world.push(world.next_push("lab", "image 2")));
  for (const char* name : {"edge-1", "edge-2", "edge-3"}) {
    ASSERT_TRUE(world.report(name, v1::HEALTHY, 1));
  }
  ASSERT_TRUE(world.report("lab-1", v1::REVERTED, 0));
  for (const char* group : {"edge", "lab"}) {
    const std::string name = std::string("ana-") + group;
    ASSERT_TRUE(world.store->add_api_token(ota::hash_token(name).hex(), {name, "viewer", {group}}));
  }
  const auto seen = [&](const std::string& path, const std::string& token) {
    const Response response = ask("GET", path, token);
    EXPECT_EQ(response.status, 200) << path << response.body;
    return response.body;
  };
  const auto edge = *proto::from_json<v1::FleetOverview>(seen("/v1/fleet", "ana-edge"));
  EXPECT_EQ(edge.devices(), 3u);
  EXPECT_EQ(edge.online(), 3u);
  EXPECT_EQ(edge.bad(), 0u);
  EXPECT_EQ(edge.needs_size(), 0) << edge.ShortDebugString();
  EXPECT_EQ(edge.tiles_size(), 2) << "lyon and paris";
  EXPECT_EQ(edge.last().id(), "r-1") << "r-2 is another's";
  const auto lab = *proto::from_json<v1::FleetOverview>(seen("/v1/fleet", "ana-lab"));
  EXPECT_EQ(lab.devices(), 1u);
  EXPECT_EQ(lab.bad(), 1u);
  ASSERT_EQ(lab.needs_size(), 1);
  EXPECT_EQ(lab.needs(0).names(0), "lab-1");
  EXPECT_EQ(lab.last().id(), "r-2");
  EXPECT_EQ(look().devices(), 4u) << "and a token without groups everything, before and after";
  const auto list = *proto::from_json<v1::DeviceSummaryList>(seen("/v1/fleet/devices", "ana-edge"));
  EXPECT_EQ(names(list), "edge-1 edge-2 edge-3 ");
  EXPECT_EQ(list.fleet_size(), 3u);
  const auto history =
      *proto::from_json<v1::ReleaseHistory>(seen("/v1/apps/dns/history", "ana-edge"));
  ASSERT_EQ(history.pushes_size(), 1);
  EXPECT_EQ(history.pushes(0).rollout(), "r-1");
  EXPECT_EQ(history.moments(history.moments_size() - 1).devices(0), 3u);
  for (const char* path : {"/v1/fleet", "/v1/fleet/devices", "/v1/apps/dns/history"}) {
    for (const char* trace : {"lab-1", "\"lab\"", "oslo", "\"r-2\""}) {
      EXPECT_EQ(seen(path, "ana-edge").find(trace), std::string::npos) << path << " " << trace;
    }
  }
}

TEST_F(OverviewTest, ReleasesOverTimeAreReadFromTheRollouts) {
  ASSERT_TRUE(world.push(world.next_push("edge")));
  for (const char* name : {"edge-1", "edge-2", "edge-3"}) {
    ASSERT_TRUE(world.report(name, v1::HEALTHY, 1));
  }
  world.clock.advance(60 * 60 * 1000);
  ASSERT_TRUE(world.push(world.next_push("edge", "image 2")));
  ASSERT_TRUE(world.report("edge-1", v1::HEALTHY, 2));
  const std::int64_t now_ms = world.clock.wall_ms();
  const auto history = release_history(*world.store, {"dns"}, now_ms - 24LL * 3600 * 1000, now_ms);
  ASSERT_TRUE(history.has_value());
  ASSERT_EQ(history->releases_size(), 2);
  EXPECT_EQ(history->pushes_size(), 2);
  const v1::ReleaseMoment& first = history->moments(0);
  const v1::ReleaseMoment& last = history->moments(history->moments_size() - 1);
  EXPECT_EQ(first.devices(0) + first.devices(1), 0u);
  EXPECT_EQ(last.devices(0), 2u);
  EXPECT_EQ(last.devices(1), 1u);
  EXPECT_EQ(last.at_ms(), static_cast<std::uint64_t>(now_ms));
  EXPECT_GT(first.at_ms() + 2 * 3600 * 1000, static_cast<std::uint64_t>(now_ms))
      << "a young history begins shortly before its first release";
  for (int i = 1; i < history->moments_size(); ++i) {
    EXPECT_LE(history->moments(i - 1).at_ms(), history->moments(i).at_ms()) << i;
  }
}

}  // namespace
}  // namespace controller
