// The tables of the commands that look.
#include "deploy/fleetctl/lists.h"

#include <gtest/gtest.h>

#include "ota/json.h"
#include "tests/unit/fleetctl/rollout_text.h"

namespace fleetctl {
namespace {

using Lines = std::vector<std::string>;

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kNow = 100'000'000;

fleet::v1::Device device(const std::string& name, bool online) {
  fleet::v1::Device device;
  device.set_name(name);
  device.set_online(online);
  device.set_seen_ms(kNow - (online ? 4'000 : (3 * 60 + 12) * 60'000));
  device.add_groups("edge");
  (*device.mutable_labels())["site"] = "lyon";
  (*device.mutable_labels())["role"] = "resolver";
  auto& inventory = *device.mutable_inventory();
  inventory.set_board("raspberrypi4");
  inventory.set_memory_free_bytes(1200 * kMiB);
  auto& monitor = *inventory.add_monitors();
  monitor.set_name("hvt");
  monitor.set_usable(true);
  auto& app = *device.add_apps();
  app.set_app("dns");
  app.set_live_release(4);
  app.set_live_slot("B");
  app.set_state(fleet::v1::HEALTHY);
  app.add_ports("53/udp");
  app.add_ports("53/tcp");
  auto& instance = *app.mutable_instance();
  instance.set_id("abcdefghijklmnop");
  instance.set_healthy(true);
  instance.set_monitor("hvt");
  instance.set_up_ms(21 * 60'000);
  instance.set_memory_bytes(3 * kMiB + kMiB / 5);
  instance.set_memory_limit_bytes(16 * kMiB);
  instance.set_cpu_permille(4);
  return device;
}

fleet::v1::DeviceList two_devices() {
  fleet::v1::DeviceList list;
  *list.add_devices() = device("edge-116", true);
  *list.add_devices() = device("edge-118", false);
  list.set_fleet_size(2);
  return list;
}

// The controller names these devices.
void add_trouble(fleet::v1::ServerStatus& server, const std::string& kind,
                 const std::vector<fleet::v1::Device>& devices) {
  auto& trouble = *server.add_troubles();
  trouble.set_kind(kind);
  trouble.set_devices(static_cast<std::uint32_t>(devices.size()));
  for (const auto& each : devices) *trouble.add_named() = each;
}

bool says(const Lines& lines, const std::string& text) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all.find(text) != std::string::npos;
}

TEST(Lists, DevicesReadLikeTheTranscript) {
  EXPECT_EQ(
      devices_table(two_devices(), kNow),
      (Lines{
          "NAME      STATE    GROUP  BOARD         MONITOR  APPS  MEM FREE  SEEN   LABELS",
          "edge-116  online   edge   raspberrypi4  hvt      1/1   1.2 GiB   4s     "
          "role=resolver,site=lyon",
          "edge-118  offline  edge   raspberrypi4  hvt      1/1   -         3h12m  "
          "role=resolver,site=lyon",
          "2 devices: 1 online, 1 offline"}));
}

TEST(Lists, PsReadsLikeTheTranscript) {
  EXPECT_EQ(
      instances_table(two_devices(), kNow),
      (Lines{
          "DEVICE    APP  RELEASE  SLOT  STATE    UP   MEM         CPU   RESTARTS  MONITOR  PORTS",
          "edge-116  dns  4        B     healthy  21m  3.2/16 MiB  0.4%  0         hvt      "
          "53/udp,53/tcp",
          "edge-118  dns  4        B     unknown  -    -           -     -         hvt      "
          "(last report 3h12m ago: healthy)"}));
}

TEST(Lists, PsJsonNamesDeviceAppAndRelease) {
  const auto parsed = ota::parse_json(instances_json(two_devices()));
  ASSERT_TRUE(parsed);
  const auto& instances = parsed->find("instances")->as_array();
  ASSERT_EQ(instances.size(), 2u);
  EXPECT_EQ(instances[0].find("device")->as_string(), "edge-116");
  EXPECT_EQ(instances[0].find("app")->as_string(), "dns");
  EXPECT_EQ(instances[0].find("release")->as_integer(), 4);
}

TEST(Lists, WidePsShowsTheWarmSpare) {
  fleet::v1::DeviceList list = two_devices();
  auto& app = *list.mutable_devices(0)->mutable_apps(0);
  app.mutable_instance()->set_address("10.213.77.2");
  auto& spare = *app.mutable_spare();
  spare.set_id("bcdefghijklmnopq");
  spare.set_address("10.213.77.3");
  spare.set_memory_bytes(3 * kMiB);
  const auto ends_with = [&list](std::size_t line, const std::string& end) {
    return instances_table(list, kNow, true).at(line).ends_with(end);
  };
  EXPECT_TRUE(ends_with(0, "INSTANCE          ADDRESS      SPARE"));
  EXPECT_TRUE(ends_with(1, "  abcdefghijklmnop  10.213.77.2  bcdefghijklmnopq booting 10.213.77.3 "
                           "3 MiB"))
      << instances_table(list, kNow, true).at(1);
  spare.set_healthy(true);
  EXPECT_NE(instances_table(list, kNow, true).at(1).find(" ready "), std::string::npos);
  const auto parsed = ota::parse_json(instances_json(list));
  ASSERT_TRUE(parsed);
  const auto& instances = parsed->find("instances")->as_array();
  EXPECT_EQ(instances[0].find("spare")->find("state")->as_string(), "ready");
  EXPECT_EQ(instances[1].find("spare"), nullptr);
}

TEST(Lists, EmptyOnesTeachTheNextCommand) {
  EXPECT_TRUE(says(devices_table({}, kNow), "fleetctl enroll-token"));
  EXPECT_TRUE(says(apps_table({}), "fleetctl push dns --to edge"));
  EXPECT_TRUE(says(rollouts_table({}, kNow), "fleetctl push"));
  EXPECT_TRUE(says(releases_table({}, "dns", kNow), "fleetctl push dns"));
  EXPECT_TRUE(says(labels_table({}), "fleetctl device label"));
  fleet::v1::DeviceList bare;
  bare.add_devices()->set_name("edge-1");
  EXPECT_TRUE(says(instances_table(bare, kNow), "fleetctl push"));
}

TEST(Lists, LabelsAreCountedWithTheirSelector) {
  EXPECT_EQ(labels_table(two_devices()),
            (Lines{"LABEL    VALUE     DEVICES  SELECTOR", "(group)  edge      2        edge",
                   "role     resolver  2        role=resolver",
                   "site     lyon      2        site=lyon"}));
}

TEST(Lists, RolloutsCarryMarkAndCounts) {
  fleet::v1::RolloutList list;
  auto& rollout = *list.add_rollouts();
  rollout = rollout_of(fleet::v1::ROLLOUT_FAILED, 11'000);
  rollout.set_selector("edge");
  rollout.set_by("ana");
  rollout.mutable_counts()->set_healthy(1);
  rollout.mutable_counts()->set_reverted(2);
  EXPECT_EQ(rollouts_table(list, 1'000'000 + 60'000),
            (Lines{"  ROLLOUT  WHAT  APP    TO    STATE   AGE  BY   DEVICES",
                   "✘ r-1      push  dns 1  edge  failed  1m   ana  1 healthy, 2 reverted"}));
}

TEST(Lists, StatusIsOnePageAndNamesWhatNeedsYou) {
  fleet::v1::ServerStatus server;
  server.set_version("0.1.0");
  server.set_up_ms(41ull * 24 * 3'600'000);
  server.set_devices(2);
  server.set_online(1);
  fleet::v1::Whoami who;
  who.set_name("ana");
  who.set_role("deployer");
  server.set_needing(1);
  add_trouble(server, "offline", {device("edge-118", false)});
  auto& app = *server.add_apps();
  app.set_name("dns");
  auto& count = *app.add_running();
  count.set_release(4);
  count.set_devices(2);
  auto& root = *server.add_expiries();
  root.set_role("root");
  root.set_expires_ms(kNow + 500ull * 24 * 3'600'000);
  EXPECT_EQ(status_lines({"fleet.example.net", server, who}, kNow),
            (Lines{"fleet.example.net   ana (deployer)   controller 0.1.0, up 41d",
                   "DEVICES   2   1 online   1 offline   1 needs you", "APPS      dns  4 on 2",
                   "ROLLOUTS  none yet", "KEYS      root 500d", "ATTENTION",
                   "  edge-118  offline for 3h12m  fleetctl why edge-118"}));
  root.set_expires_ms(kNow + 30ull * 24 * 3'600'000);
  EXPECT_TRUE(says(status_lines({"h", server, who}, kNow), "fleetctl keys refresh"));
}

TEST(Lists, AYankedReleaseIsMarkedWhereItRuns) {
  fleet::v1::DeviceList list = two_devices();
  auto& app = *list.mutable_devices(0)->mutable_apps(0);
  app.set_live_slot("B");
  app.mutable_a()->set_yanked(true);
  EXPECT_FALSE(says(instances_table(list, kNow), "yanked")) << "only what runs is marked";
  app.mutable_b()->set_yanked(true);
  EXPECT_TRUE(says(instances_table(list, kNow), "4 yanked"));
  EXPECT_NE(instances_json(list).find("\"yanked\": true"), std::string::npos);
  EXPECT_TRUE(says(device_lines(list.devices(0), kNow), "dns 4 yanked, healthy"));
}

TEST(Lists, ADeviceSaysWhyItTakesNothingNew) {
  fleet::v1::DeviceList list = two_devices();
  auto& device = *list.mutable_devices(0);
  auto& held = *device.mutable_inventory()->mutable_metadata();
  held.set_root_version(2);
  held.set_fresh_until_ms(kNow + 21ull * 3'600'000);
  EXPECT_TRUE(says(device_lines(device, kNow), "root 2; fresh for 21h"));
  held.set_fresh_until_ms(kNow - 3ull * 3'600'000);
  held.mutable_why()->set_text("timestamp version 5 expired");
  EXPECT_TRUE(says(device_lines(device, kNow), "expired 3h ago"));
  fleet::v1::ServerStatus server;
  add_trouble(server, "metadata", {device});
  const Lines lines = status_lines({"h", server, {}}, kNow);
  EXPECT_TRUE(says(lines, "takes nothing new: timestamp version 5 expired"));
}

TEST(Lists, StatusSaysWhoseTokenItIsAndWhatNeedsAPersonWithTheNextCommand) {
  fleet::v1::ServerStatus server;
  server.set_version("0.3.0");
  fleet::v1::Whoami who;
  who.set_name("ana");
  who.set_role("deployer");
  who.add_groups("edge");
  server.set_needing(7);
  server.set_updating(2);
  fleet::v1::Device strange = device("edge-7", true);
  strange.set_audit_strange(true);
  strange.mutable_audit_head()->set_sequence(812);
  strange.set_certificate_until_ms(kNow + 3ull * 24 * 3'600'000);
  strange.mutable_inventory()->set_memory_free_bytes(6ull << 20);
  strange.mutable_apps(0)->mutable_a()->set_state(fleet::v1::BAD);
  strange.mutable_apps(0)->mutable_a()->mutable_why()->set_text("no answer");
  add_trouble(server, "app", {strange});
  server.mutable_troubles(0)->set_app("dns");
  server.mutable_troubles(0)->set_state(fleet::v1::FAILED);
  add_trouble(server, "audit", {strange});
  add_trouble(server, "offline", {});
  server.mutable_troubles(2)->set_devices(6);
  add_trouble(server, "certificate", {strange});
  add_trouble(server, "memory", {strange});
  add_trouble(server, "a newer word", {strange});
  for (const char* version : {"0.2.1", "0.3.0"}) {
    auto& agents = *server.add_agents();
    agents.set_version(version);
    agents.set_devices(1);
    agents.set_device("edge-7");
  }
  auto& rollout = *server.add_rollouts();
  rollout.set_id("r-9");
  rollout.set_app("dns");
  rollout.set_release(4);
  rollout.set_state(fleet::v1::ROLLOUT_FAILED);
  rollout.set_ended_ms(kNow - 1000);
  rollout.mutable_counts()->set_reverted(3);
  const Lines lines = status_lines({"h", server, who}, kNow);
  for (const char* line :
       {"ana (deployer of edge)", "2 updating   7 need you", "r-9        dns 4 failed: 3 reverted",
        "fleetctl rollout show r-9", "6 devices  offline ", "fleetctl devices --state offline",
        "saw entry 812 of another audit log", "fleetctl audit verify",
        "its certificate ends in 3d", "6 MiB free", "fleetctl ps --to edge-7",
        "dns failed: no answer", "need a look: a newer word", "fleetctl device show edge-7",
        "runs agent 0.2.1, the controller is 0.3.0"}) {
    EXPECT_TRUE(says(lines, line)) << line;
  }
}

TEST(Lists, ADeviceThatIsAheadIsNamedWithTheCommandThatDecides) {
  fleet::v1::DeviceList list = two_devices();
  EXPECT_FALSE(says(devices_table(list, kNow), "ahead"));
  auto& device = *list.mutable_devices(0);
  device.mutable_ahead()->set_since_ms(kNow - 60'000);
  device.mutable_ahead()->set_text("obeyed a newer word; it runs dns 3");
  EXPECT_TRUE(says(devices_table(list, kNow), "! ahead"));
  EXPECT_TRUE(says(device_lines(device, kNow), "obeyed a newer word; it runs dns 3"));
  fleet::v1::ServerStatus server;
  add_trouble(server, "ahead", {device});
  EXPECT_TRUE(says(status_lines({"h", server, {}}, kNow),
                   "fleetctl device accept " + device.name()));
}

TEST(Lists, AHostileDeviceNameStaysText) {
  fleet::v1::DeviceList list;
  *list.add_devices() = device("edge\x1b[2J", true);
  for (const std::string& line : devices_table(list, kNow)) {
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
  for (const std::string& line : instances_table(list, kNow)) {
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
}

}  // namespace
}  // namespace fleetctl
