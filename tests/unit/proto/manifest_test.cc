// manifest.yml as people write it.
#include "proto/manifest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using proto::Code;
using proto::ManifestFile;

// The parts of UX A's example that are built.
constexpr const char* kDns = R"(version: 1
applications:
- name: dns
  description: Names of example.test
  images:
    x86_64/virtio: build/dns.x86_64.elf
    aarch64/virtio: build/dns.aarch64.elf
  needs: {memory_free: 24M, boards: [x86_64-generic]}
  memory: 16M
  cpus: 1
  cpu_limit: 50%
  log_rate: 16K/s
  args: ["--rrl=20"]
  env: {TZ: UTC}
  files:
    /zones/example.test.zone: {from: zones/example.test.zone}
    /dns.conf: {content: "nsid edge\n"}
  network:
  - name: service
    bridge: fleet0
    address: auto
    egress: [192.0.2.53:53/udp]
  publish: ["53:53/udp", "127.0.0.1:5353:53/tcp"]
  health:
    type: dns
    query: www.example.test A
    start_interval: 50ms
    timeout: 500ms
    deadline: 10s
  restart: {policy: always, backoff: 100ms, backoff_max: 30s, crash_loop: 5 in 10m}
  update:
    handover: auto
    max_bytes: 2M
    download_rate: 64K/s
    fallback_window: 0
)";

proto::Result<ManifestFile> parse(const std::string& text) {
  return proto::parse_manifest(text, "manifest.yml", "/app");
}

std::string error_of(const std::string& text) {
  const auto file = parse(text);
  return file ? "" : std::string(proto::name_of(file.error().code)) + " " + file.error().what;
}

std::string app(const std::string& lines) {
  return "version: 1\napplications:\n- name: web\n" + lines;
}

TEST(ManifestTest, EveryFieldOfTheExampleArrives) {
  const auto file = parse(kDns);
  ASSERT_TRUE(file) << file.error().what;
  ASSERT_EQ(file->applications.size(), 1U);
  const auto& application = file->applications[0];
  const auto& manifest = application.manifest;
  EXPECT_EQ(manifest.name(), "dns");
  EXPECT_EQ(manifest.memory_bytes(), 16U << 20);
  EXPECT_EQ(manifest.cpu_limit_percent(), 50U);
  EXPECT_EQ(manifest.log_rate_bytes(), 16U << 10);
  EXPECT_EQ(manifest.needs().memory_free_bytes(), 24U << 20);
  EXPECT_EQ(manifest.args(0), "--rrl=20");
  EXPECT_EQ(manifest.env().at("TZ"), "UTC");
  EXPECT_EQ(manifest.files_size(), 2);
  EXPECT_EQ(manifest.network(0).name(), "service");
  EXPECT_FALSE(manifest.network(0).egress().any());
  EXPECT_EQ(manifest.network(0).egress().allow(0), "192.0.2.53:53/udp");
  EXPECT_EQ(proto::format_published_port(manifest.publish(0)), "53:53/udp");
  EXPECT_EQ(proto::format_published_port(manifest.publish(1)), "127.0.0.1:5353:53/tcp");
  EXPECT_EQ(manifest.health().type(), fleet::v1::HEALTH_DNS);
  EXPECT_EQ(manifest.health().port(), 53U);
  EXPECT_EQ(manifest.health().deadline_ms(), 10000U);
  EXPECT_EQ(manifest.restart().crash_loop_count(), 5U);
  EXPECT_EQ(manifest.restart().crash_loop_window_ms(), 600000U);
  EXPECT_EQ(manifest.update().max_bytes(), 2U << 20);
  EXPECT_EQ(manifest.update().download_rate_bytes(), 64U << 10);
  EXPECT_EQ(manifest.update().fallback_window_ms(), 0U);
  EXPECT_EQ(manifest.hostname(), "dns");
  ASSERT_EQ(application.images.size(), 2U);
  EXPECT_EQ(application.images[1].arch, fleet::v1::X86_64);
  EXPECT_EQ(application.images[1].platform, fleet::v1::VIRTIO);
  EXPECT_EQ(application.images[1].kernel, "/app/build/dns.x86_64.elf");
  EXPECT_EQ(application.images[1].place, "manifest.yml:6: images.x86_64/virtio");
  ASSERT_EQ(application.files.size(), 2U);
  EXPECT_EQ(application.files[0].content, "nsid edge\n");
  EXPECT_EQ(application.files[1].from, "/app/zones/example.test.zone");
}

TEST(ManifestTest, TheManifestsBesideOurImagesAreGood) {
  int count = 0;
  for (const auto& folder : std::filesystem::directory_iterator(FLEET_SOURCE_DIR "/images")) {
    const auto path = folder.path() / "manifest.yml";
    if (!std::filesystem::exists(path)) continue;
    std::ifstream stream(path);
    const std::string text((std::istreambuf_iterator<char>(stream)),
                           std::istreambuf_iterator<char>());
    EXPECT_EQ(error_of(text), "") << path;
    ++count;
  }
  EXPECT_GE(count, 2);
}

TEST(ManifestTest, DefaultsAreFilledInAsDocumented) {
  const auto file = parse(app("  image: a.elf\n"));
  ASSERT_TRUE(file) << file.error().what;
  const auto& manifest = file->applications[0].manifest;
  EXPECT_EQ(manifest.memory_bytes(), 0U);  // what the image asks for
  EXPECT_EQ(manifest.cpus(), 1U);
  EXPECT_EQ(manifest.network_size(), 1);
  EXPECT_EQ(manifest.network(0).bridge(), "fleet0");
  EXPECT_EQ(manifest.network(0).address(), "auto");
  EXPECT_TRUE(manifest.network(0).egress().any());
  EXPECT_EQ(manifest.health().type(), fleet::v1::HEALTH_PROCESS);
  EXPECT_EQ(manifest.health().start_interval_ms(), 50U);
  EXPECT_EQ(manifest.health().interval_ms(), 1000U);
  EXPECT_EQ(manifest.health().timeout_ms(), 1000U);
  EXPECT_EQ(manifest.health().healthy_after(), 3U);
  EXPECT_EQ(manifest.health().unhealthy_after(), 3U);
  EXPECT_EQ(manifest.health().deadline_ms(), 30000U);
  EXPECT_EQ(manifest.restart().backoff_ms(), 100U);
  EXPECT_EQ(manifest.restart().backoff_max_ms(), 30000U);
  EXPECT_EQ(manifest.update().tries(), 2U);
  EXPECT_EQ(manifest.update().download_rate_bytes(), 0U);
  EXPECT_EQ(manifest.update().drain_ms(), 10000U);
  EXPECT_EQ(manifest.update().fallback_window_ms(), 86400000U);
  EXPECT_EQ(manifest.update().watch_ms(), 600000U);
  EXPECT_EQ(manifest.update().stop_grace_ms(), 2000U);
  EXPECT_EQ(proto::widest_handover(manifest), fleet::v1::BESIDE);
}

struct Case {
  const char* name;
  const char* lines;  // of the application
  const char* words;
};

TEST(ManifestTest, EachFaultIsToldWithItsPlaceAndTheFix) {
  const Case kCases[] = {
      {"a bare time", "  image: a\n  health: {type: http, deadline: 10}\n",
       "bad_manifest manifest.yml:5: health.deadline: 10 has no unit; write 10s or 10ms"},
      {"an unknown field", "  image: a\n  memroy: 16M\n",
       "bad_manifest manifest.yml:5: unknown key \"memroy\"; did you mean \"memory\"?"},
      {"a wrong type", "  image: a\n  args: --x\n", "manifest.yml:5: args: wants a list"},
      {"no folder", "  path: \"\"\n", "names no folder; write path: ."},
      {"no name of the catalog", "  image: \"catalog:\"\n", "followed by a name, like catalog:dns"},
      {"a path in the catalog", "  image: catalog:../dns\n", "followed by a name"},
      {"a kernel of the catalog", "  image: {kernel: catalog:dns, initrd: x}\n",
       "catalog:NAME stands by itself"},
      {"folder and image", "  path: .\n  image: catalog:dns\n", "not several"},
      {"two kinds of image", "  image: a\n  images: {x86_64: b}\n",
       "manifest.yml:4: image: give one"},
      {"an image without a file", "  image: {initrd: x}\n", "image: names no file"},
      {"an unknown CPU", "  images: {mips: a}\n", "images.mips: begins with x86_64 or aarch64"},
      {"an unknown platform", "  images: {x86_64/xen: a}\n",
       "platform is virtio, hvt, spt or bare"},
      {"a port that is none", "  image: a\n  publish: [\"53/udp\"]\n",
       "manifest.yml:5: publish[0]: \"53/udp\" is no port"},
      {"a crash loop that is none", "  image: a\n  restart: {crash_loop: often}\n",
       "restart.crash_loop: \"often\" is no limit; write COUNT in TIME"},
      {"a crash loop with a bare time", "  image: a\n  restart: {crash_loop: 5 in 10}\n",
       "10 has no unit"},
      {"a file with neither", "  image: a\n  files: {/a: {template: false}}\n",
       "manifest.yml:5: files./a: needs one of from and content"},
      {"a file with both", "  image: a\n  files: {/a: {from: x, content: y}}\n",
       "needs one of from and content"},
      {"an empty zone", "  image: a\n  files: {/a.zone: {content: \"\"}}\n",
       "manifest.yml:5: files./a.zone: is empty"},
      {"an unknown way to run", "  image: a\n  run: jail\n", "run: \"jail\" is not known here"},
      {"too little memory", "  image: a\n  memory: 1M\n",
       "manifest.yml:5: memory: 1M is out of range; 2M to"},
      {"beside on a host bridge",
       "  image: a\n  network: [{bridge: br0}]\n"
       "  update: {handover: beside}\n",
       "manifest.yml:6: update.handover: beside needs"},
      {"dhcp on fleet0", "  image: a\n  network: [{address: dhcp}]\n",
       "network[0].address: dhcp is for a bridge of the host"},
      {"a gateway beside dhcp",
       "  image: a\n  network: [{bridge: a, address: dhcp, gateway: 192.0.2.1}]\n",
       "network[0].gateway: comes with the address"},
      {"IPv6 on fleet0", "  image: a\n  network: [{address6: \"2001:db8::1/64\"}]\n",
       "network[0].address6: is for a bridge of the host"},
      {"IPv6 of no /64",
       "  image: a\n  network: [{bridge: a, address: dhcp, address6: \"2001:db8::1/48\"}]\n",
       "network[0].address6: \"2001:db8::1/48\" is no address of a /64"},
      {"a way out of no network",
       "  image: a\n  network: [{bridge: a, address: dhcp, gateway6: \"2001:db8::1\"}]\n",
       "network[0].gateway6: is an IPv6 address, beside address6"},
      {"on_down of what has an IPv6 address",
       "  image: a\n  on_down: drop\n  network:\n  - {bridge: a, address: none}\n"
       "  - {bridge: b, address: none, address6: \"2001:db8::1/64\"}\n",
       "on_down: is for an app with two ports without an address"},
      {"a variable of another type",
       "  image: a\n  vars: {six: {type: string}}\n"
       "  network: [{bridge: a, address: none, address6: \"((six))/64\"}]\n",
       "network[0].address6: is one ((variable)) of type ipv6"},
      {"a variable with more",
       "  image: a\n  vars: {six: {type: ipv6}}\n"
       "  network: [{bridge: a, address: none, address6: \"((six))3/64\"}]\n",
       "network[0].address6: is one ((variable)) of type ipv6"},
      {"a probe of an address that nobody knows",
       "  image: a\n  network: [{bridge: a, address: dhcp}]\n  health: {type: tcp, port: 1}\n",
       "health.type: tcp needs an interface whose address is known"},
      {"a port of such an address",
       "  image: a\n  network: [{bridge: a, address: dhcp}]\n  publish: [\"53:53/udp\"]\n",
       "publish: needs an interface whose address is known"},
      {"an app twice", "  image: a\n- name: web\n  image: b\n", "name: is there twice"},
  };
  for (const Case& test : kCases) {
    const std::string what = error_of(app(test.lines));
    EXPECT_NE(what.find(test.words), std::string::npos) << test.name << ": " << what;
  }
}

TEST(ManifestTest, WhatIsNotBuiltYetIsRefusedByNameAndPlace) {
  const Case kCases[] = {
      {"a disk of the host", "  devices: [{name: d, host: /dev/sda, as: block}]\n",
       "devices[0].as: block"},
      {"bare", "  run: bare\n", "run: bare (manifest.yml:5)"},
      {"firecracker", "  monitors: [hvt, spt, qemu, firecracker]\n",
       "monitors[3]: firecracker (manifest.yml:5)"},
      {"vlan", "  network: [{bridge: a, vlan: 7}]\n", "network[0].vlan"},
  };
  for (const Case& test : kCases) {
    const std::string what = error_of(app("  image: a\n" + std::string(test.lines)));
    EXPECT_EQ(what.find("not_supported not supported yet: "), 0U) << test.name << ": " << what;
    EXPECT_NE(what.find(test.words), std::string::npos) << test.name << ": " << what;
  }
  EXPECT_NE(error_of(app("  image: oci://x/y\n")).find("not supported yet: image: oci://"),
            std::string::npos);
}

TEST(ManifestTest, ImagesMayComeFromTheCatalogOrASourceFolder) {
  const auto file = parse(app("  images: {x86_64/spt: catalog:dns, aarch64: catalog:dns-two}\n"));
  ASSERT_TRUE(file) << file.error().what;
  const auto& images = file->applications[0].images;
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].catalog, "dns-two");
  EXPECT_EQ(images[0].arch, fleet::v1::AARCH64);
  EXPECT_EQ(images[1].catalog, "dns");
  EXPECT_EQ(images[1].platform, fleet::v1::SPT);
  EXPECT_EQ(images[1].kernel, "");
  const auto folder = parse(app("  path: src\n"));
  ASSERT_TRUE(folder) << folder.error().what;
  EXPECT_EQ(folder->applications[0].path, "/app/src");
  EXPECT_TRUE(folder->applications[0].images.empty());
  const auto neither = parse(app("  memory: 16M\n"));
  ASSERT_TRUE(neither) << neither.error().what;
  EXPECT_EQ(neither->applications[0].path, "");
  EXPECT_TRUE(neither->applications[0].images.empty());
}

TEST(ManifestTest, AVersionThatIsMissingOrNewIsTold) {
  EXPECT_NE(error_of("applications: [{name: a, image: b}]").find("version: is missing"),
            std::string::npos);
  EXPECT_NE(error_of("version: 2\napplications: [{name: a, image: b}]").find("knows version 1"),
            std::string::npos);
  EXPECT_NE(error_of("version: 1\n").find("applications: there is none"), std::string::npos);
}

TEST(ManifestTest, AnApplicationIsFoundByNameOrAlone) {
  const auto one = parse(app("  image: a\n")).value();
  EXPECT_EQ(proto::find_application(one, "").value()->manifest.name(), "web");
  EXPECT_NE(proto::find_application(one, "dns").error().what.find("it has web"), std::string::npos);
  const auto two = parse(app("  image: a\n- name: dns\n  image: b\n")).value();
  EXPECT_EQ(proto::find_application(two, "dns").value()->manifest.name(), "dns");
  EXPECT_NE(proto::find_application(two, "").error().what.find("name one of web, dns"),
            std::string::npos);
}

class ManifestFilesTest : public testing::Test {
 protected:
  ManifestFilesTest() {
    std::string name = testing::TempDir() + "manifestXXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~ManifestFilesTest() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }
  std::string load_error(const std::string& lines) {
    write("manifest.yml", app("  image: a\n" + lines));
    const auto file = proto::load_manifest(folder_ + "/manifest.yml");
    if (!file) return file.error().what;
    const auto files = proto::load_files(file->applications[0]);
    return files ? "" : files.error().what;
  }
  std::string folder_;
};

TEST_F(ManifestFilesTest, FilesAreReadBesideTheManifest) {
  write("zone", std::string("a\0b", 3));
  write("manifest.yml", app("  image: a\n  files: {/z: {from: zone}, /c: {content: hi}}\n"));
  const auto file = proto::load_manifest(folder_ + "/manifest.yml");
  ASSERT_TRUE(file) << file.error().what;
  const auto files = proto::load_files(file->applications[0]).value();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].bytes, "hi");
  EXPECT_EQ(files[1].bytes, std::string("a\0b", 3));
}

TEST_F(ManifestFilesTest, MissingEmptyAndLargeFilesAreNamedWithTheirPlace) {
  EXPECT_NE(load_error("  files: {/z: {from: zone}}\n").find(":5: files./z: " + folder_ +
                                                             "/zone: No such file"),
            std::string::npos);
  write("zone", "");
  EXPECT_NE(load_error("  files: {/z: {from: zone}}\n").find("zone is empty"), std::string::npos);
  write("zone", std::string((1 << 20) + 1, 'x'));
  EXPECT_NE(load_error("  files: {/z: {from: zone}}\n").find("larger than 1 MiB"),
            std::string::npos);
  write("zone", std::string(1 << 20, 'x'));
  std::string five = "  files:\n";
  for (char c = 'a'; c < 'f'; ++c) five += std::string("    /") + c + ": {from: zone}\n";
  EXPECT_NE(load_error(five).find("larger than 4 MiB"), std::string::npos);
  EXPECT_NE(load_error("  files: {/z: {from: .}}\n").find("no regular file"), std::string::npos);
}

TEST_F(ManifestFilesTest, AManifestThatIsNotThereIsNotFound) {
  const auto file = proto::load_manifest(folder_ + "/none.yml");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::not_found);
}

TEST(ManifestTest, PortsSurviveTheirText) {
  for (const char* text : {"53:53/udp", "8080:80/tcp", "127.0.0.1:1:65535/tcp"}) {
    EXPECT_EQ(proto::format_published_port(proto::parse_published_port(text).value()), text);
  }
  for (const char* text : {"", "53", "53/udp", ":53/udp", "53:/udp", "0:1/udp", "65536:1/udp",
                           "53:53/sctp", "host:53:53/udp", "53:53/udp ", "-1:53/udp"}) {
    EXPECT_FALSE(proto::parse_published_port(text)) << text;
  }
}

TEST(ManifestTest, APortOfAHostsBridgeMayHaveAnAddressAndNoSourceFilter) {
  const auto on = [](const std::string& bridge) {
    return proto::parse_manifest(
        "version: 1\napplications:\n- name: edge-fw\n  image: a\n  memory: 16M\n"
        "  network: [{name: lan, bridge: " + bridge +
            ", address: 192.168.1.1/24, promiscuous: true}]\n", "m", "");
  };
  EXPECT_TRUE(on("br-lan")) << "a router sends for others";
  const auto managed = on("fleet0");
  ASSERT_FALSE(managed);
  EXPECT_NE(managed.error().what.find("promiscuous"), std::string::npos) << managed.error().what;
}

}  // namespace
