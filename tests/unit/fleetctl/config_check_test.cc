// What an app's files say is checked by the image's own readers before it is signed.
#include "deploy/fleetctl/config_check.h"

#include <gtest/gtest.h>

namespace fleetctl {
namespace {

using proto::Code;
using proto::LoadedFile;

struct ConfigCheck : ::testing::Test {
  fleet::v1::AppManifest manifest;
  std::vector<LoadedFile> files;

  void interface(const std::string& name, const std::string& address) {
    auto& one = *manifest.add_network();
    one.set_name(name);
    one.set_address(address);
  }
  void bridge() {
    interface("wan", "none");
    interface("lan", "none");
    interface("mgmt", "auto");
  }
  void file(const std::string& path, const std::string& text, bool is_template = false) {
    files.push_back({path, text, is_template, path.substr(1) + ".src", true});
  }
  /// "" for nothing wrong.
  std::string fault(const std::string& language) {
    const auto checked = check_config(language, manifest, files);
    if (checked) return "";
    EXPECT_EQ(checked.error().code, Code::bad_manifest);
    return checked.error().what;
  }
};

const char* const kZone =
    "$TTL 1h\n@ SOA ns hostmaster 1 1h 1h 1h 1h\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\n";

TEST_F(ConfigCheck, RulesAreToldByFileAndLine) {
  bridge();
  file("/rules", "chain forward {\n  iif \"lan\" accept\n}\n");
  EXPECT_EQ(fault("firewall/1"), "");
  files.front().bytes = "chain forward {\n  iif \"dmz\" accept\n}\n";
  EXPECT_NE(fault("firewall/1").find("rules.src:2: "), std::string::npos) << fault("firewall/1");
  EXPECT_NE(fault("firewall/1").find("dmz"), std::string::npos);
  files.front().is_file = false;
  files.front().place = "manifest.yml:9: files./rules";
  EXPECT_EQ(fault("firewall/1").rfind("manifest.yml:9: files./rules: line 2: ", 0), 0u);
}

TEST_F(ConfigCheck, WhatOnlyARouterMayIsRefusedToABridge) {
  bridge();
  file("/rules",
       "chain forward {\n  accept\n}\nchain postrouting {\n  oif \"wan\" masquerade\n}\n");
  EXPECT_NE(fault("firewall/1"), "");
  manifest.mutable_network(0)->set_address("192.0.2.1/24");
  manifest.mutable_network(1)->set_address("198.51.100.1/24");
  EXPECT_EQ(fault("firewall/1"), "");
}

TEST_F(ConfigCheck, InterfacesThatNothingPassesBetweenAreRefused) {
  interface("wan", "none");
  interface("mgmt", "auto");
  file("/rules", "chain forward {\n}\n");
  EXPECT_NE(fault("firewall/1").find("there are 1 and 0"), std::string::npos);
}

TEST_F(ConfigCheck, AFirewallSaysWhatAnUpdateDoesToItsFlows) {
  bridge();
  file("/rules", "chain forward {\n}\n");
  const auto flows = [this] { return check_config("firewall/1", manifest, files)->flows; };
  EXPECT_EQ(flows(), "open connections end; args: [--adopt=60] keeps those of TCP");
  manifest.add_args("--adopt=90");
  EXPECT_EQ(flows(), "open TCP connections live on (--adopt=90)");
  manifest.mutable_network(0)->set_address("192.0.2.1/24");
  manifest.mutable_network(1)->set_address("198.51.100.1/24");
  files.front().bytes += "chain postrouting {\n  oif \"wan\" masquerade\n}\n";
  EXPECT_EQ(flows(), "open TCP connections live on (--adopt=90), but those whose addresses the "
                     "rules translate end");
}

TEST_F(ConfigCheck, AFileThatMustBeThereIsNamed) {
  bridge();
  EXPECT_EQ(fault("firewall/1"), "files: none is /rules, which the image needs");
  EXPECT_EQ(fault("sensor/1"), "files: none is /sensor.conf, which the image needs");
}

TEST_F(ConfigCheck, ZonesAndOptionsOfDnsAreRead) {
  file("/zones/example.test.zone", kZone);
  EXPECT_EQ(fault("dns/1"), "");
  files.front().bytes = std::string(kZone) + "bad A 192.0.2.256\n";
  EXPECT_NE(fault("dns/1").find("zones/example.test.zone.src:6: "), std::string::npos);
  files.front().bytes = kZone;
  file("/dns.conf", "port 53\nprot 54\n");
  EXPECT_NE(fault("dns/1").find("dns.conf.src:2: "), std::string::npos) << fault("dns/1");
  files.pop_back();
  manifest.add_args("--prot=53");
  EXPECT_NE(fault("dns/1").find("args: --prot=53: "), std::string::npos);
}

TEST_F(ConfigCheck, SettingsOfASensorAreRead) {
  file("/sensor.conf", "broker 192.0.2.10\nsensr t serial\n");
  EXPECT_NE(fault("sensor/1").find("sensor.conf.src:2: "), std::string::npos) << fault("sensor/1");
}

TEST_F(ConfigCheck, DefaultsStandForVariablesOfTemplates) {
  bridge();
  auto& net = (*manifest.mutable_vars())["net"];
  net.set_type(fleet::v1::VAR_CIDR);
  const std::string rules = "chain forward {\n  ip saddr ((net)) accept\n}\n";
  file("/rules", rules, true);
  EXPECT_EQ(fault("firewall/1"), "") << "any network is one";
  net.set_default_("198.51.100.0/24");
  EXPECT_EQ(fault("firewall/1"), "");
  files.front().bytes = "chain forward {\n  ip sadr ((net)) accept\n}\n";
  EXPECT_NE(fault("firewall/1").find("rules.src:2: "), std::string::npos);
  net.set_type(fleet::v1::VAR_STRING);
  net.clear_default_();
  EXPECT_EQ(fault("firewall/1"), "") << "it could be anything, so the device judges";
}

TEST_F(ConfigCheck, ALanguageThatIsNotKnownIsLeftToTheDevice) {
  file("/rules", "no rules at all");
  EXPECT_EQ(fault(""), "");
  EXPECT_EQ(fault("firewall/2"), "");
}

}  // namespace
}  // namespace fleetctl
