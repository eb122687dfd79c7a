// The difference of two releases, as UX.md shows it.
#include "deploy/fleetctl/diff.h"

#include <gtest/gtest.h>

namespace fleetctl {
namespace {

using fleet::v1::AppManifest;

AppManifest dns() {
  AppManifest manifest;
  manifest.set_version(1);
  manifest.set_name("dns");
  manifest.set_release(1);
  auto* image = manifest.add_images();
  image->set_arch(fleet::v1::X86_64);
  image->set_platform(fleet::v1::SPT);
  image->mutable_kernel()->set_sha256("9c1f04aa" + std::string(56, '0'));
  image->mutable_kernel()->set_size_bytes(412 * 1024);
  manifest.set_memory_bytes(16 * 1024 * 1024);
  manifest.add_args("--rrl=20");
  manifest.mutable_health()->set_type(fleet::v1::HEALTH_DNS);
  manifest.mutable_health()->set_deadline_ms(10'000);
  return manifest;
}

TEST(Diff, ANewImageAndArgumentReadLikeTheTranscript) {
  AppManifest after = dns();
  after.set_release(2);
  after.mutable_images(0)->mutable_kernel()->set_sha256("22b790cd" + std::string(56, '0'));
  after.mutable_images(0)->mutable_kernel()->set_size_bytes(415 * 1024);
  after.add_args("--port=5353");
  EXPECT_EQ(diff_lines(dns(), after),
            (std::vector<std::string>{
                "  - images.x86_64/spt    sha256:9c1f04aa  412 KiB",
                "  + images.x86_64/spt    sha256:22b790cd  415 KiB   (415 KiB to fetch)",
                "    memory               16 MiB",
                "  - args                 [\"--rrl=20\"]",
                "  + args                 [\"--rrl=20\",\"--port=5353\"]"}));
  EXPECT_EQ(new_bytes(dns(), after), 415u * 1024);
}

TEST(Diff, OnlyTheNumberDiffersIsNoDifference) {
  AppManifest after = dns();
  after.set_release(2);
  EXPECT_TRUE(diff_lines(dns(), after).empty());
  EXPECT_EQ(new_bytes(dns(), after), 0u);
}

TEST(Diff, UnitsAreThoseOfTheManifest) {
  AppManifest after = dns();
  after.mutable_health()->set_deadline_ms(250);
  after.set_cpu_limit_percent(50);
  after.set_log_rate_bytes(16 * 1024);
  const std::vector<std::string> lines = diff_lines(dns(), after);
  const auto has = [&lines](const std::string& line) {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  EXPECT_TRUE(has("  - health.deadline      10s"));
  EXPECT_TRUE(has("  + health.deadline      250ms"));
  EXPECT_TRUE(has("  + cpu_limit            50%"));
  EXPECT_TRUE(has("  + log_rate             16K/s"));
  AppManifest slow = dns();
  slow.mutable_update()->set_download_rate_bytes(64 * 1024);
  const std::vector<std::string> of_rate = diff_lines(dns(), slow);
  EXPECT_TRUE(std::any_of(of_rate.begin(), of_rate.end(), [](const std::string& line) {
    return line.starts_with("  + update.download_rate ") && line.ends_with(" 64K/s");
  }));
}

TEST(Diff, EntriesAreLabelledByNameSoAMovedOneIsNoChange) {
  AppManifest before = dns();
  before.add_files()->set_path("/a");
  before.add_files()->set_path("/b");
  before.mutable_files(0)->mutable_content()->set_sha256(std::string(64, '1'));
  before.mutable_files(1)->mutable_content()->set_sha256(std::string(64, '2'));
  AppManifest after = before;
  after.mutable_files()->SwapElements(0, 1);
  EXPECT_TRUE(diff_lines(before, after).empty());
  after.mutable_files()->RemoveLast();
  EXPECT_EQ(diff_lines(before, after).size(), 2u) << "one gone, and the memory for orientation";
}

TEST(Diff, MapsInterfacesAndPortsHaveTheirSpelling) {
  AppManifest after = dns();
  (*after.mutable_env())["TZ"] = "UTC\x1b[0m";
  auto* interface = after.add_network();
  interface->set_name("service");
  interface->set_bridge("fleet0");
  interface->mutable_egress()->add_allow("192.0.2.53:53/udp");
  auto* port = after.add_publish();
  port->set_host_port(53);
  port->set_guest_port(53);
  port->set_proto(fleet::v1::UDP);
  const std::vector<Attribute> all = attributes_of(after);
  const auto value = [&all](const std::string& label) {
    for (const Attribute& attribute : all) {
      if (attribute.label == label) return attribute.value;
    }
    return std::string("(none)");
  };
  EXPECT_EQ(value("env.TZ"), "UTC\\x1b[0m");
  EXPECT_EQ(value("network.service.bridge"), "fleet0");
  EXPECT_EQ(value("network.service.egress"), "[192.0.2.53:53/udp]");
  EXPECT_EQ(value("publish"), "[\"53:53/udp\"]");
  EXPECT_EQ(value("version"), "(none)");
}

TEST(Diff, AWarmSpareSaysThatItTakesMemoryTwice) {
  AppManifest after = dns();
  after.mutable_restart()->set_spare(fleet::v1::SPARE_WARM);
  EXPECT_EQ(diff_lines(dns(), after),
            (std::vector<std::string>{
                "  - memory               16 MiB",
                "  + memory               16 MiB, twice: with its warm spare",
                "  + restart.spare        warm"}));
}

TEST(Diff, EachBlobIsListedOnce) {
  AppManifest manifest = dns();
  *manifest.add_images() = manifest.images(0);
  manifest.add_files()->mutable_content()->set_sha256(std::string(64, '7'));
  EXPECT_EQ(blobs_of(manifest).size(), 2u);
}

}  // namespace
}  // namespace fleetctl
