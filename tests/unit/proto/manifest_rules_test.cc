// The rules for a signed manifest, one broken at a time.
#include <gtest/gtest.h>

#include <functional>

#include "fleet/v1/link.pb.h"
#include "proto/manifest.h"

namespace {

using fleet::v1::AppManifest;
using proto::Code;
using proto::ManifestStage;

AppManifest good() {
  constexpr const char* kText =
      "version: 1\napplications:\n- name: dns\n  image: a\n  memory: 16M\n"
      "  files: {/zone: {content: x}}\n  network: [{name: service}]\n  publish: [\"53:53/udp\"]\n"
      "  health: {type: dns, query: www.example.test A}\n";
  AppManifest manifest =
      proto::parse_manifest(kText, "m", "").value().applications[0].manifest;
  manifest.set_release(1);
  auto& image = *manifest.add_images();
  image.set_arch(fleet::v1::X86_64);
  image.set_platform(fleet::v1::VIRTIO);
  image.mutable_kernel()->set_sha256(std::string(64, 'a'));
  image.mutable_kernel()->set_size_bytes(4096);
  auto& content = *manifest.mutable_files(0)->mutable_content();
  content.set_sha256(std::string(64, 'b'));
  content.set_size_bytes(1);
  return manifest;
}

TEST(ManifestRulesTest, AGoodManifestPassesEveryCheck) {
  const AppManifest manifest = good();
  const auto checked = proto::check_manifest(manifest, ManifestStage::complete);
  EXPECT_TRUE(checked) << checked.error().what;
  EXPECT_TRUE(proto::check_supported(manifest));
  EXPECT_TRUE(proto::check_known(manifest));
}

fleet::v1::Volume& volume(AppManifest& manifest) {
  auto& volume = *manifest.add_volumes();
  volume.set_name("v");
  volume.set_size_bytes(1 << 20);
  volume.set_sync("never");
  volume.set_on_revert("keep");
  return volume;
}

struct Rule {
  const char* field;  // Error.element
  std::function<void(AppManifest&)> breaks;
};

TEST(ManifestRulesTest, EachBrokenRuleNamesItsField) {
  const Rule kRules[] = {
      {"version", [](auto& m) { m.set_version(2); }},
      {"name", [](auto& m) { m.set_name("Dns"); }},
      {"name", [](auto& m) { m.set_name("1dns"); }},
      {"name", [](auto& m) { m.set_name(std::string(41, 'a')); }},
      {"name", [](auto& m) { m.set_name("../x"); }},
      {"description", [](auto& m) { m.set_description(std::string(201, 'a')); }},
      {"description", [](auto& m) { m.set_description("a\nb"); }},
      {"release", [](auto& m) { m.set_release(0); }},
      {"run", [](auto& m) { m.set_run(fleet::v1::RUN_MODE_UNSPECIFIED); }},
      {"monitors[1]", [](auto& m) {
         m.add_monitors(fleet::v1::MONITOR_QEMU);
         m.add_monitors(fleet::v1::MONITOR_QEMU);
       }},
      {"memory", [](auto& m) { m.set_memory_bytes(0); }},
      {"memory", [](auto& m) { m.set_memory_bytes(1 << 20); }},
      {"cpus", [](auto& m) { m.set_cpus(0); }},
      {"cpus", [](auto& m) { m.set_cpus(65); }},
      {"cpu_limit", [](auto& m) { m.set_cpu_limit_percent(6401); }},
      {"log_rate", [](auto& m) { m.set_log_rate_bytes(0); }},
      {"update.download_rate",
       [](auto& m) { m.mutable_update()->set_download_rate_bytes(1023); }},
      {"hostname", [](auto& m) { m.set_hostname("a b"); }},
      {"images", [](auto& m) { m.clear_images(); }},
      {"images", [](auto& m) { while (m.images_size() < 17) *m.add_images() = m.images(0); }},
      {"images[0]", [](auto& m) { m.mutable_images(0)->clear_arch(); }},
      {"images[0]", [](auto& m) { m.mutable_images(0)->clear_platform(); }},
      {"images[1]", [](auto& m) { *m.add_images() = AppManifest(m).images(0); }},
      {"images[0].kernel", [](auto& m) { m.mutable_images(0)->clear_kernel(); }},
      {"images[0].kernel",
       [](auto& m) { m.mutable_images(0)->mutable_kernel()->set_sha256("../../etc"); }},
      {"images[0].kernel",
       [](auto& m) { m.mutable_images(0)->mutable_kernel()->set_size_bytes(2ULL << 30); }},
      {"images[0].initrd", [](auto& m) { m.mutable_images(0)->mutable_initrd(); }},
      {"images[0].disk", [](auto& m) { m.mutable_images(0)->mutable_disk(); }},
      {"args", [](auto& m) { while (m.args_size() < 129) m.add_args("x"); }},
      {"args[0]", [](auto& m) { m.add_args(std::string("a\0b", 3)); }},
      {"args[0]", [](auto& m) { m.add_args(std::string(4097, 'a')); }},
      {"env.A-B", [](auto& m) { (*m.mutable_env())["A-B"] = "x"; }},
      {"env.1A", [](auto& m) { (*m.mutable_env())["1A"] = "x"; }},
      {"env.A", [](auto& m) { (*m.mutable_env())["A"] = std::string(4097, 'a'); }},
      {"files.zone", [](auto& m) { m.mutable_files(0)->set_path("zone"); }},
      {"files./a/../b", [](auto& m) { m.mutable_files(0)->set_path("/a/../b"); }},
      {"files./..", [](auto& m) { m.mutable_files(0)->set_path("/.."); }},
      {"files./a/", [](auto& m) { m.mutable_files(0)->set_path("/a/"); }},
      {"files./zone", [](auto& m) { *m.add_files() = AppManifest(m).files(0); }},
      {"files./zone", [](auto& m) { m.mutable_files(0)->mutable_content()->set_size_bytes(0); }},
      {"files./zone",
       [](auto& m) { m.mutable_files(0)->mutable_content()->set_size_bytes(2 << 20); }},
      {"files./zone", [](auto& m) { m.mutable_files(0)->mutable_content()->set_sha256(""); }},
      {"vars.A", [](auto& m) { (*m.mutable_vars())["A"].set_type(fleet::v1::VAR_STRING); }},
      {"vars.a", [](auto& m) { (*m.mutable_vars())["a"]; }},
      {"vars.a.values", [](auto& m) { (*m.mutable_vars())["a"].set_type(fleet::v1::VAR_ENUM); }},
      {"vars.a.from",
       [](auto& m) {
         (*m.mutable_vars())["a"].set_type(fleet::v1::VAR_STRING);
         (*m.mutable_vars())["a"].set_from("env:x");
       }},
      {"vars.a.default",
       [](auto& m) {
         (*m.mutable_vars())["a"].set_type(fleet::v1::VAR_SECRET);
         (*m.mutable_vars())["a"].set_default_("x");
       }},
      {"args[0]", [](auto& m) { m.add_args("--x=((nobody))"); }},
      {"args[0]",
       [](auto& m) {
         (*m.mutable_vars())["key"].set_type(fleet::v1::VAR_SECRET);
         m.add_args("--x=((key))");
       }},
      {"env.A", [](auto& m) { (*m.mutable_env())["A"] = "((nobody))"; }},
      {"hostname", [](auto& m) { m.set_hostname("dns-((nobody))"); }},
      {"hostname",
       [](auto& m) {
         (*m.mutable_vars())["site"].set_type(fleet::v1::VAR_STRING);
         m.set_hostname("dns_ ((site))");
       }},
      {"network[0].address",
       [](auto& m) {
         (*m.mutable_vars())["site"].set_type(fleet::v1::VAR_STRING);
         m.mutable_network(0)->set_address("((site))");
       }},
      {"network[0].dns[0]", [](auto& m) { m.mutable_network(0)->add_dns("((nobody))"); }},
      {"volumes[0].name", [](auto& m) { m.add_volumes(); }},
      {"volumes[0].size", [](auto& m) { m.add_volumes()->set_name("v"); }},
      {"volumes[0].name", [](auto& m) { volume(m).set_name("../v"); }},
      {"volumes[0].name", [](auto& m) { volume(m).set_name("config"); }},
      {"volumes[0].size", [](auto& m) { volume(m).set_size_bytes((1 << 20) + 512); }},
      {"volumes[0].size",
       [](auto& m) { volume(m).set_size_bytes((std::uint64_t{1} << 40) + 4096); }},
      {"volumes[0].sync", [](auto& m) { volume(m).set_sync("sometimes"); }},
      {"volumes[0].on_revert", [](auto& m) { volume(m).set_on_revert("throw"); }},
      {"volumes[1].name", [](auto& m) { volume(m), volume(m); }},
      {"volumes",
       [](auto& m) {
         for (int i = 0; i < 9; ++i) volume(m);
       }},
      {"volumes",
       [](auto& m) {
         volume(m).set_size_bytes(std::uint64_t{1} << 40);
         volume(m).set_name("w");
       }},
      {"devices",
       [](auto& m) {
         for (int i = 0; i < 8; ++i) {
           auto& device = *m.add_devices();
           device.set_name("d" + std::to_string(i));
           device.set_host("/dev/ttyS" + std::to_string(i));
           device.set_as("console");
         }
       }},
      {"devices[0].host",
       [](auto& m) {
         auto& device = *m.add_devices();
         device.set_name("d");
         device.set_host("/etc/shadow");
       }},
  };
  for (const Rule& rule : kRules) {
    AppManifest manifest = good();
    rule.breaks(manifest);
    const auto checked = proto::check_manifest(manifest, ManifestStage::complete);
    ASSERT_FALSE(checked) << rule.field;
    EXPECT_EQ(checked.error().code, Code::bad_manifest) << checked.error().what;
    EXPECT_EQ(checked.error().element, rule.field) << checked.error().what;
    EXPECT_EQ(checked.error().what.find(std::string(rule.field) + ": "), 0U)
        << checked.error().what;
  }
}

TEST(ManifestRulesTest, EachBrokenRuleOfTheNetworkNamesItsField) {
  const auto port = [](AppManifest& m) -> fleet::v1::PublishedPort& {
    return *m.mutable_publish(0);
  };
  const auto net = [](AppManifest& m) -> fleet::v1::Interface& { return *m.mutable_network(0); };
  const Rule kRules[] = {
      {"network", [](auto& m) { while (m.network_size() < 9) *m.add_network() = m.network(0); }},
      {"network[0].name", [&](auto& m) { net(m).set_name("Eth 0"); }},
      {"network[1].name", [](auto& m) { *m.add_network() = AppManifest(m).network(0); }},
      {"network[0].bridge", [&](auto& m) { net(m).set_bridge("a/b"); }},
      {"network[0].bridge", [&](auto& m) { net(m).set_bridge("a-very-long-name"); }},
      {"network[0].vlan", [&](auto& m) { net(m).set_vlan(4095); }},
      {"network[0].address", [&](auto& m) { net(m).set_address("10.0.0.1"); }},
      {"network[0].address", [&](auto& m) { net(m).set_address("10.0.0.1/33"); }},
      {"network[0].gateway", [&](auto& m) { net(m).set_gateway("gw"); }},
      {"network[0].dns[0]", [&](auto& m) { net(m).add_dns("ns"); }},
      {"network[0].mac", [&](auto& m) { net(m).set_mac("02:00:00:00:00"); }},
      {"network[0].mac", [&](auto& m) { net(m).set_mac("01:00:00:00:00:01"); }},
      {"network[0].mtu", [&](auto& m) { net(m).set_mtu(100); }},
      {"network[0].promiscuous", [&](auto& m) { net(m).set_promiscuous(true); }},
      {"network[0].promiscuous",
       [&](auto& m) {
         net(m).set_promiscuous(true);
         net(m).set_address("none");
       }},
      {"network[0].egress", [&](auto& m) { net(m).mutable_egress()->add_allow("192.0.2.1/udp"); }},
      {"network[0].egress[0]",
       [&](auto& m) {
         net(m).mutable_egress()->set_any(false);
         net(m).mutable_egress()->add_allow("example.test:53/udp");
       }},
      {"publish", [&](auto& m) { net(m).set_address("none"); }},
      {"publish", [](auto& m) { while (m.publish_size() < 33) *m.add_publish() = m.publish(0); }},
      {"publish[0]", [&](auto& m) { port(m).set_host_port(0); }},
      {"publish[0]", [&](auto& m) { port(m).set_guest_port(65536); }},
      {"publish[0]", [&](auto& m) { port(m).set_proto(fleet::v1::PROTO_UNSPECIFIED); }},
      {"publish[0]", [&](auto& m) { port(m).set_host_address("lo"); }},
      {"publish[1]", [](auto& m) { *m.add_publish() = AppManifest(m).publish(0); }},
      {"on_down", [](auto& m) { m.set_on_down(fleet::v1::DROP); }},
      {"on_down",
       [&](auto& m) {
         for (const char* bridge : {"wan", "lan"}) {
           auto& interface = *m.add_network();
           interface.set_name(bridge);
           interface.set_bridge(bridge);
           interface.set_address("none");
         }
       }},
  };
  for (const Rule& rule : kRules) {
    AppManifest manifest = good();
    rule.breaks(manifest);
    const auto checked = proto::check_manifest(manifest, ManifestStage::complete);
    ASSERT_FALSE(checked) << rule.field;
    EXPECT_EQ(checked.error().element, rule.field) << checked.error().what;
  }
}

TEST(ManifestRulesTest, EachBrokenRuleOfTheAppsLifeNamesItsField) {
  using fleet::v1::HealthType;
  const auto health = [](AppManifest& m) -> fleet::v1::Health& { return *m.mutable_health(); };
  const auto update = [](AppManifest& m) -> fleet::v1::UpdatePolicy& {
    return *m.mutable_update();
  };
  const auto restart = [](AppManifest& m) -> fleet::v1::Restart& { return *m.mutable_restart(); };
  const auto to = [&](AppManifest& m, HealthType type) {
    health(m).set_type(type);
    health(m).clear_query();
    health(m).clear_port();
  };
  const Rule kRules[] = {
      {"health.type", [&](auto& m) { health(m).clear_type(); }},
      {"health.type",
       [&](auto& m) {
         m.clear_publish();
         m.mutable_network(0)->set_address("none");
       }},
      {"health.query", [&](auto& m) { health(m).set_query("www.example.test"); }},
      {"health.query", [&](auto& m) { health(m).set_query("www.example.test ANY"); }},
      {"health.query", [&](auto& m) { health(m).set_query("a..b A"); }},
      {"health.query", [&](auto& m) { health(m).set_type(fleet::v1::HEALTH_PROCESS); }},
      {"health.path", [&](auto& m) { health(m).set_path("/"); }},
      {"health.path", [&](auto& m) { to(m, fleet::v1::HEALTH_HTTP); }},
      {"health.path",
       [&](auto& m) {
         to(m, fleet::v1::HEALTH_HTTP);
         health(m).set_path("/a b");
       }},
      {"health.status",
       [&](auto& m) {
         to(m, fleet::v1::HEALTH_HTTP);
         health(m).set_path("/");
         health(m).set_status(99);
       }},
      {"health.status", [&](auto& m) { health(m).set_status(200); }},
      {"health.line", [&](auto& m) { to(m, fleet::v1::HEALTH_CONSOLE); }},
      {"health.line", [&](auto& m) { health(m).set_line("ready"); }},
      {"health.port", [&](auto& m) { to(m, fleet::v1::HEALTH_TCP); }},
      {"health.port",
       [&](auto& m) {
         to(m, fleet::v1::HEALTH_PROCESS);
         health(m).set_port(80);
       }},
      {"health.interface", [&](auto& m) { health(m).set_interface("lan"); }},
      {"health.interface",
       [&](auto& m) {
         to(m, fleet::v1::HEALTH_PROCESS);
         health(m).set_interface("service");
       }},
      {"health.start_interval", [&](auto& m) { health(m).set_start_interval_ms(0); }},
      {"health.interval", [&](auto& m) { health(m).set_interval_ms(1); }},
      {"health.timeout", [&](auto& m) { health(m).set_timeout_ms(0); }},
      {"health.deadline", [&](auto& m) { health(m).set_deadline_ms(0); }},
      {"health.grace", [&](auto& m) { health(m).set_grace_ms(health(m).deadline_ms()); }},
      {"health.healthy_after", [&](auto& m) { health(m).set_healthy_after(0); }},
      {"health.unhealthy_after", [&](auto& m) { health(m).set_unhealthy_after(0); }},
      {"restart.policy", [&](auto& m) { restart(m).clear_policy(); }},
      {"restart.backoff", [&](auto& m) { restart(m).set_backoff_ms(0); }},
      {"restart.backoff_max", [&](auto& m) { restart(m).set_backoff_max_ms(50); }},
      {"restart.crash_loop", [&](auto& m) { restart(m).set_crash_loop_count(0); }},
      {"restart.crash_loop", [&](auto& m) { restart(m).set_crash_loop_window_ms(0); }},
      {"update.tries", [&](auto& m) { update(m).set_tries(0); }},
      {"update.tries", [&](auto& m) { update(m).set_tries(11); }},
      {"update.drain", [&](auto& m) { update(m).set_drain_ms(2 * 3600 * 1000); }},
      {"update.stop_grace", [&](auto& m) { update(m).set_stop_grace_ms(3600 * 1000); }},
      {"update.download", [&](auto& m) { update(m).set_download("night"); }},
      {"update.apply", [&](auto& m) { update(m).set_apply("25:00-26:00"); }},
      {"update.handover",
       [&](auto& m) {
         update(m).set_handover(fleet::v1::BESIDE);
         m.mutable_network(0)->set_address("10.0.0.2/24");
       }},
      {"update.handover",
       [&](auto& m) {
         update(m).set_handover(fleet::v1::BESIDE);
         m.mutable_network(0)->set_bridge("br0");
       }},
      {"update.handover",
       [&](auto& m) {
         update(m).set_handover(fleet::v1::SWAP);
         volume(m);
       }},
      {"update.handover", [&](auto& m) { update(m).set_handover(fleet::v1::SWAP); }},
      {"update.handover",
       [&](auto& m) {
         update(m).set_handover(fleet::v1::SWAP);
         m.mutable_network(0)->set_bridge("br0");
         m.mutable_network(0)->set_mac("02:00:00:00:00:01");
       }},
      {"restart.spare",
       [&](auto& m) {
         restart(m).set_spare(fleet::v1::SPARE_WARM);
         restart(m).set_policy(fleet::v1::NEVER);
       }},
      {"restart.spare",
       [&](auto& m) {
         restart(m).set_spare(fleet::v1::SPARE_WARM);
         m.mutable_network(0)->set_address("10.213.77.9/24");
       }},
      {"restart.spare",
       [&](auto& m) {
         restart(m).set_spare(fleet::v1::SPARE_WARM);
         *m.add_network() = m.network(0);
         m.mutable_network(1)->set_name("second");
       }},
      {"restart.spare",
       [&](auto& m) {
         restart(m).set_spare(fleet::v1::SPARE_WARM);
         auto& volume = *m.add_volumes();
         volume.set_name("v");
         volume.set_size_bytes(1 << 20);
         volume.set_sync("never");
         volume.set_on_revert("keep");
       }},
      {"rollout.waves[0]", [](auto& m) { m.mutable_rollout()->add_waves("x"); }},
      {"rollout.waves[0]", [](auto& m) { m.mutable_rollout()->add_waves("101%"); }},
      {"rollout.waves[1]",
       [](auto& m) {
         m.mutable_rollout()->add_waves("10%");
         m.mutable_rollout()->add_waves("5%");
       }},
      {"rollout.max_failed", [](auto& m) { m.mutable_rollout()->set_max_failed("few"); }},
      {"rollout.max_unavailable.by",
       [](auto& m) { m.mutable_rollout()->mutable_max_unavailable(); }},
  };
  for (const Rule& rule : kRules) {
    AppManifest manifest = good();
    rule.breaks(manifest);
    const auto checked = proto::check_manifest(manifest, ManifestStage::complete);
    ASSERT_FALSE(checked) << rule.field;
    EXPECT_EQ(checked.error().element, rule.field) << checked.error().what;
  }
}

TEST(ManifestRulesTest, EveryProbeWithItsOwnFieldsPasses) {
  const std::function<void(fleet::v1::Health&)> kProbes[] = {
      [](auto& h) { h.set_type(fleet::v1::HEALTH_PROCESS); },
      [](auto& h) {
        h.set_type(fleet::v1::HEALTH_CONSOLE);
        h.set_line("listening");
      },
      [](auto& h) {
        h.set_type(fleet::v1::HEALTH_TCP);
        h.set_port(80);
      },
      [](auto& h) {
        h.set_type(fleet::v1::HEALTH_HTTP);
        h.set_port(80);
        h.set_path("/");
        h.set_status(204);
        h.set_interface("service");
      },
      [](auto& h) { h.set_type(fleet::v1::HEALTH_ICMP); },
  };
  for (const auto& probe : kProbes) {
    AppManifest manifest = good();
    manifest.mutable_health()->clear_query();
    manifest.mutable_health()->clear_port();
    probe(*manifest.mutable_health());
    const auto checked = proto::check_manifest(manifest, ManifestStage::complete);
    EXPECT_TRUE(checked) << checked.error().what;
  }
}

TEST(ManifestRulesTest, AWarmSpareDoublesTheStandingMemory) {
  AppManifest manifest = good();
  EXPECT_EQ(proto::standing_memory_bytes(manifest), manifest.memory_bytes());
  manifest.mutable_restart()->set_spare(fleet::v1::SPARE_WARM);
  EXPECT_TRUE(proto::check_manifest(manifest, ManifestStage::complete));
  EXPECT_EQ(proto::standing_memory_bytes(manifest), 2 * manifest.memory_bytes());
}

TEST(ManifestRulesTest, VolumesAreSupportedAlsoOneThatGoesBack) {
  AppManifest manifest = good();
  volume(manifest).set_sync("always");
  EXPECT_TRUE(proto::check_manifest(manifest, ManifestStage::complete));
  EXPECT_TRUE(proto::check_supported(manifest));
  manifest.mutable_volumes(0)->set_on_revert("restore");
  EXPECT_TRUE(proto::check_manifest(manifest, ManifestStage::complete));
  EXPECT_TRUE(proto::check_supported(manifest));
}

TEST(ManifestRulesTest, WhatForwardsHasEachPortOnABridgeOfItsOwn) {
  AppManifest manifest = good();
  for (const char* bridge : {"br-wan", "br-lan"}) {
    auto& port = *manifest.add_network();
    port.set_name(std::string("p") + bridge[3]);
    port.set_bridge(bridge);
    port.set_address("none");
    port.mutable_egress()->set_any(true);
  }
  const auto why = [&manifest] {
    const auto checked = proto::check_manifest(manifest, ManifestStage::complete);
    return checked ? std::string() : checked.error().what;
  };
  EXPECT_NE(why().find("write drop or bypass"), std::string::npos) << why();
  for (const auto on_down : {fleet::v1::DROP, fleet::v1::BYPASS}) {
    manifest.set_on_down(on_down);
    EXPECT_EQ(why(), "");
    EXPECT_TRUE(proto::check_supported(manifest));
    manifest.mutable_network(2)->set_bridge("br-wan");
    EXPECT_NE(why().find("a loop"), std::string::npos) << why();
    manifest.mutable_network(2)->set_bridge("br-lan");
  }
  auto& third = *manifest.add_network();
  third = manifest.network(1);
  third.set_name("third");
  third.set_bridge("br-dmz");
  EXPECT_NE(why().find("bypass joins two ports"), std::string::npos) << why();
  manifest.set_on_down(fleet::v1::DROP);
  EXPECT_EQ(why(), "");
  manifest.mutable_network()->RemoveLast();
  manifest.set_on_down(fleet::v1::BYPASS);
  manifest.mutable_network(2)->set_bridge("user");
  EXPECT_NE(why().find("a bridge of the host"), std::string::npos) << why();
}

TEST(ManifestRulesTest, HandoverIsAsWideAsNetworkAndVolumesAllow) {
  AppManifest manifest = good();
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::BESIDE);
  manifest.mutable_network(0)->set_address("10.213.77.9/24");
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::STOP_START);
  manifest.mutable_network(0)->set_bridge("br0");
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::STOP_START) << "one owner";
  manifest.mutable_network(0)->set_address("none");
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::SWAP);
  manifest.mutable_network(0)->set_mac("02:00:00:00:00:01");
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::STOP_START) << "one owner of the MAC";
  manifest.mutable_network(0)->clear_mac();
  manifest.add_volumes();
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::STOP_START);
}

TEST(ManifestRulesTest, AFieldOrValueOfTheFutureIsTooNewAtAnyDepth) {
  AppManifest field = good();
  field.GetReflection()->MutableUnknownFields(&field)->AddVarint(99, 1);
  EXPECT_EQ(proto::check_known(field).error().code, Code::manifest_too_new);
  EXPECT_NE(proto::check_known(field).error().what.find("field 99 of AppManifest"),
            std::string::npos);
  AppManifest deep = good();
  auto& health = *deep.mutable_health();
  health.GetReflection()->MutableUnknownFields(&health)->AddVarint(99, 1);
  EXPECT_EQ(proto::check_known(deep).error().element, "health");
  AppManifest value = good();
  value.mutable_images(0)->set_arch(static_cast<fleet::v1::Arch>(77));
  EXPECT_EQ(proto::check_known(value).error().element, "images[0].arch");
  AppManifest list = good();
  list.add_monitors(static_cast<fleet::v1::MonitorKind>(77));
  EXPECT_EQ(proto::check_known(list).error().element, "monitors[0]");
  AppManifest in_map = good();
  (*in_map.mutable_vars())["a"].set_type(static_cast<fleet::v1::VarType>(77));
  EXPECT_EQ(proto::check_known(in_map).error().code, Code::manifest_too_new);
}

}  // namespace
