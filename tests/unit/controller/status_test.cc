// The fleet on one page: counts and troubles follow each change, and it stays small.
#include "controller/overview.h"

#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

constexpr std::int64_t kDay_ms = 24ll * 3'600'000;

struct StatusTest : ::testing::Test, ApiWorld {
  StatusTest() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2", "edge-3"}) {
      world.enroll(name);
      world.online(name);
    }
  }
  std::string text(const std::string& token = "viewer") {
    const Response response = ask("GET", "/v1/status", token);
    EXPECT_EQ(response.status, 200) << response.body;
    return response.body;
  }
  v1::ServerStatus status(const std::string& token = "viewer") {
    return *proto::from_json<v1::ServerStatus>(text(token));
  }
  // "app dns FAILED: edge-1 edge-2 (2)"
  std::vector<std::string> troubles() {
    std::vector<std::string> out;
    const v1::ServerStatus now = status();
    for (const v1::DeviceTrouble& trouble : now.troubles()) {
      std::string line = trouble.kind();
      if (!trouble.app().empty()) {
        line += " " + trouble.app() + " " + v1::DeviceState_Name(trouble.state());
      }
      line += ":";
      for (const v1::Device& device : trouble.named()) line += " " + device.name();
      out.push_back(line + " (" + std::to_string(trouble.devices()) + ")");
    }
    return out;
  }
  void facts(const std::string& device, std::uint64_t release, v1::DeviceState state,
             std::uint64_t free_bytes = 1 << 30, const std::string& takes_nothing = "") {
    v1::Telemetry told;
    told.mutable_inventory()->set_memory_free_bytes(free_bytes);
    if (!takes_nothing.empty()) {
      told.mutable_inventory()->mutable_metadata()->mutable_why()->set_text(takes_nothing);
    }
    v1::AppStatus* app = told.add_apps();
    app->set_app("dns");
    app->set_live_release(release);
    app->set_state(state);
    ASSERT_TRUE(world.store->set_facts(world.id_of(device), told, world.clock.wall_ms()));
  }
  void enroll_many(int first, int last) {
    for (int i = first; i <= last; ++i) {
      DeviceRow row;
      row.id = "id-" + std::to_string(i);
      row.name = "edge-" + std::to_string(i);
      ASSERT_TRUE(world.store->add_device(row));
      ASSERT_TRUE(world.store->add_group(row.id, "edge"));
    }
  }
};

using Lines = std::vector<std::string>;

TEST_F(StatusTest, SaysWhatRunsAndHowTheNewestRolloutsWent) {
  ASSERT_TRUE(world.push(world.next_push("edge")));
  for (const char* name : {"edge-1", "edge-2"}) {
    ASSERT_TRUE(world.report(name, v1::HEALTHY, 1));
    facts(name, 1, v1::HEALTHY);
  }
  facts("edge-3", 0, v1::TRIAL);
  const v1::ServerStatus now = status();
  EXPECT_EQ(now.devices(), 3u);
  EXPECT_EQ(now.online(), 3u);
  EXPECT_EQ(now.updating(), 1u);
  EXPECT_EQ(now.needing(), 0u);
  EXPECT_EQ(now.troubles_size(), 0);
  ASSERT_EQ(now.apps_size(), 1);
  EXPECT_EQ(now.apps(0).name(), "dns");
  ASSERT_EQ(now.apps(0).running_size(), 1);
  EXPECT_EQ(now.apps(0).running(0).devices(), 2u);
  ASSERT_EQ(now.rollouts_size(), 1);
  EXPECT_EQ(now.rollouts(0).counts().healthy(), 2u);
  EXPECT_EQ(now.rollouts(0).devices_size(), 0);
}

TEST_F(StatusTest, TroublesAreSortedByHarmAndCountADeviceOnce) {
  facts("edge-1", 1, v1::FAILED, 6 << 20, "timestamp version 5 expired");
  facts("edge-2", 1, v1::HEALTHY, 6 << 20);
  world.offline("edge-3");
  EXPECT_EQ(troubles(), (Lines{"app dns FAILED: edge-1 (1)", "offline: edge-3 (1)",
                               "metadata: edge-1 (1)", "memory: edge-1 edge-2 (2)"}));
  EXPECT_EQ(status().needing(), 3u);
  EXPECT_EQ(status().troubles(2).named(0).inventory().metadata().why().text(),
            "timestamp version 5 expired")
      << "who is named has what its line tells";
  world.offline("edge-2");
  EXPECT_EQ(troubles()[3], "memory: edge-1 (1)") << "what it had when it was seen last";
  facts("edge-1", 1, v1::HEALTHY);
  world.online("edge-2");
  world.online("edge-3");
  facts("edge-2", 1, v1::HEALTHY);
  EXPECT_EQ(troubles(), Lines{});
  EXPECT_EQ(status().needing(), 0u);
}

TEST_F(StatusTest, DevicesAreNamedWhileTheyAreFew) {
  enroll_many(4, 8);
  EXPECT_EQ(troubles(), (Lines{"offline: edge-4 edge-5 edge-6 edge-7 edge-8 (5)"}));
  const std::size_t with_names = text().size();
  enroll_many(9, 9);
  EXPECT_EQ(troubles(), (Lines{"offline: (6)"}));
  const std::size_t without = text().size();
  EXPECT_LT(without, with_names);
  enroll_many(10, 300);
  EXPECT_EQ(troubles(), (Lines{"offline: (297)"}));
  EXPECT_LT(text().size(), without + 64) << "no larger for more devices";
}

TEST_F(StatusTest, CertificatesThatShouldHaveBeenRenewedAreCounted) {
  const auto until = [this](const char* device, std::int64_t ms) {
    ASSERT_TRUE(world.store->set_certificate(world.id_of(device), device, ms));
  };
  const std::int64_t now_ms = world.clock.wall_ms();
  until("edge-1", now_ms + 80 * kDay_ms);
  until("edge-2", now_ms + 22 * kDay_ms);
  until("edge-3", now_ms + 60 * kDay_ms);
  EXPECT_EQ(status().certificates().ending(), 0u);
  EXPECT_EQ(status().certificates().first_until_ms(),
            static_cast<std::uint64_t>(now_ms + 22 * kDay_ms));
  until("edge-3", now_ms + 20 * kDay_ms);
  EXPECT_EQ(status().certificates().ending(), 1u);
  EXPECT_EQ(troubles(), (Lines{"certificate: edge-3 (1)"}));
  const auto fleet = proto::from_json<v1::FleetOverview>(ask("GET", "/v1/fleet", "viewer").body);
  EXPECT_EQ(fleet->certificates().ending(), 1u);
}

TEST_F(StatusTest, AStrangeAuditHeadIsATroubleUntilItIsAccepted) {
  status();  // what is read next is what changed
  v1::AuditHead head;
  head.set_sequence(812);
  head.set_hash(std::string(64, 'a'));
  ASSERT_TRUE(world.store->set_device_audit(world.id_of("edge-2"), head));
  EXPECT_EQ(troubles(), (Lines{"audit: edge-2 (1)"}));
  EXPECT_EQ(status().audit_strange(0), "edge-2");
  EXPECT_EQ(status().troubles(0).named(0).audit_head().sequence(), 812u);
  ASSERT_EQ(ask("POST", "/v1/audit/accept", "admin").status, 200);
  EXPECT_EQ(troubles(), Lines{});
}

TEST_F(StatusTest, AgentsAreCountedByVersion) {
  ASSERT_TRUE(world.store->set_hello(world.id_of("edge-1"), "0.2.1", "", 0));
  for (const char* name : {"edge-2", "edge-3"}) {
    ASSERT_TRUE(world.store->set_hello(world.id_of(name), "0.3.0", "", 0));
  }
  const v1::ServerStatus now = status();
  ASSERT_EQ(now.agents_size(), 2);
  EXPECT_EQ(now.agents(0).version(), "0.2.1");
  EXPECT_EQ(now.agents(0).devices(), 1u);
  EXPECT_EQ(now.agents(1).devices(), 2u);
  EXPECT_EQ(now.agents(1).device(), "edge-2");
}

TEST_F(StatusTest, TheNewestRolloutsAreThereAndTheNewestOfAnAppThatFailed) {
  for (std::int64_t number = 1; number <= 6; ++number) {
    rollout::Rollout one;
    one.number = number;
    one.app = number == 1 ? "sensor" : number == 2 ? "firewall" : "dns";
    one.kind = v1::KIND_PUSH;
    one.state = number <= 2 ? v1::ROLLOUT_FAILED : v1::ROLLOUT_SUCCEEDED;
    ASSERT_TRUE(world.store->add_rollout(one));
  }
  rollout::Rollout mended;
  mended.number = 7;
  mended.app = "firewall";
  mended.kind = v1::KIND_PUSH;
  mended.state = v1::ROLLOUT_SUCCEEDED;
  ASSERT_TRUE(world.store->add_rollout(mended));
  Lines ids;
  const v1::ServerStatus now = status();
  for (const v1::Rollout& one : now.rollouts()) ids.push_back(one.id());
  EXPECT_EQ(ids, (Lines{"r-7", "r-6", "r-5", "r-1"}));
}

}  // namespace
}  // namespace controller
