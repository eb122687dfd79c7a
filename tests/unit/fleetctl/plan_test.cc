// What a push is going to do, before it does anything.
#include "deploy/fleetctl/plan.h"

#include <gtest/gtest.h>

#include "deploy/fleetctl/lists.h"
#include "deploy/fleetctl/upload.h"
#include "ota/json.h"

namespace fleetctl {
namespace {

using Lines = std::vector<std::string>;

void add_image(Draft& draft, fleet::v1::Arch arch, fleet::v1::Platform platform,
               const std::string& path, std::uint64_t kib, const std::string& digest,
               const std::string& summary) {
  auto& image = *draft.manifest.add_images();
  image.set_arch(arch);
  image.set_platform(platform);
  image.mutable_kernel()->set_sha256(digest + std::string(56, '0'));
  image.mutable_kernel()->set_size_bytes(kib * 1024);
  DraftImage shown;
  shown.key = std::string(arch == fleet::v1::X86_64 ? "x86_64" : "aarch64") +
              (platform == fleet::v1::SPT ? "/spt" : "/hvt");
  shown.path = path;
  shown.info.summary = summary;
  draft.images.push_back(shown);
}

Draft dns_draft() {
  Draft draft;
  draft.manifest.set_name("dns");
  draft.manifest_file = "manifest.yml";
  add_image(draft, fleet::v1::X86_64, fleet::v1::SPT, "build/dns.x86_64.spt", 412, "9c1f04aa",
            "Solo5 spt, ABI 2, 1 net");
  add_image(draft, fleet::v1::X86_64, fleet::v1::HVT, "build/dns.x86_64.hvt", 409, "e8a3770c",
            "Solo5 hvt, ABI 2, 1 net");
  add_image(draft, fleet::v1::AARCH64, fleet::v1::HVT, "build/dns.aarch64.hvt", 398, "51d04b12",
            "Solo5 hvt, ABI 2, 1 net");
  return draft;
}

void add_device(fleet::v1::DeviceList& list, const std::string& name, fleet::v1::Arch arch,
                const std::string& monitor, bool online = true) {
  auto& device = *list.add_devices();
  device.set_name(name);
  device.set_online(online);
  device.mutable_inventory()->set_arch(arch);
  auto& evidence = *device.mutable_inventory()->add_monitors();
  evidence.set_name(monitor);
  evidence.set_usable(true);
  list.set_fleet_size(static_cast<std::uint32_t>(list.devices_size()));
}

TEST(Plan, AFirstPushReadsLikeTheTranscript) {
  const Draft draft = dns_draft();
  fleet::v1::DeviceList devices;
  add_device(devices, "edge-1", fleet::v1::X86_64, "spt");
  add_device(devices, "edge-2", fleet::v1::X86_64, "spt");
  add_device(devices, "edge-3", fleet::v1::AARCH64, "hvt");
  const Fit fit = fit_of(draft.manifest, devices);
  EXPECT_EQ(
      plan_lines({.draft = draft, .fit = fit}),
      (Lines{"  manifest   manifest.yml",
             "  images     x86_64/spt    build/dns.x86_64.spt    412 KiB  sha256:9c1f04aa  "
             "Solo5 spt, ABI 2, 1 net",
             "             x86_64/hvt    build/dns.x86_64.hvt    409 KiB  sha256:e8a3770c  "
             "Solo5 hvt, ABI 2, 1 net",
             "             aarch64/hvt   build/dns.aarch64.hvt   398 KiB  sha256:51d04b12  "
             "Solo5 hvt, ABI 2, 1 net",
             "  fits       3 of 3 devices (2 spt, 1 hvt)",
             "  plan       all 3 at once; first release here, so a device that fails keeps dns "
             "stopped"}));
}

TEST(Plan, AKernelWithAnInitrdShowsBothFiles) {
  Draft draft;
  draft.manifest_file = "manifest.yml";
  add_image(draft, fleet::v1::X86_64, fleet::v1::SPT, "vmlinuz", 13824, "51349501", "Linux 6.1");
  draft.images[0].initrd_path = "initrd.cpio.gz";
  fleet::v1::Blob& initrd = *draft.manifest.mutable_images(0)->mutable_initrd();
  initrd.set_sha256("30ff3e72" + std::string(56, '0'));
  initrd.set_size_bytes(900 * 1024);
  const Lines lines = plan_lines({.draft = draft, .fit = {}});
  ASSERT_GE(lines.size(), 3u);
  EXPECT_EQ(lines[1],
            "  images     x86_64/spt   vmlinuz          13.5 MiB  sha256:51349501  Linux 6.1");
  EXPECT_EQ(lines[2], "                          initrd.cpio.gz    900 KiB  sha256:30ff3e72");
}

TEST(Plan, AnUpdateShowsTheDifferenceAndOfflineDevices) {
  const Draft draft = dns_draft();
  fleet::v1::AppManifest before = draft.manifest;
  before.add_args("--old");
  fleet::v1::DeviceList devices;
  add_device(devices, "edge-1", fleet::v1::X86_64, "spt");
  add_device(devices, "edge-2", fleet::v1::X86_64, "spt", false);
  const Fit fit = fit_of(draft.manifest, devices);
  PlanInput input{.draft = draft, .fit = fit};
  input.previous = &before;
  input.previous_number = 1;
  input.number = 2;
  EXPECT_EQ(plan_lines(input),
            (Lines{"Updating dns 1 -> 2 with these attributes:",
                   "  - args                 [\"--old\"]",
                   "  plan       all 2 at once; a device that fails goes back to the release that "
                   "it runs",
                   "             1 reachable, 1 offline (join when they return)"}));
}

TEST(Plan, AnUpdateSaysWhatBecomesOfConnections) {
  Draft draft = dns_draft();
  draft.flows = "open connections end";
  const fleet::v1::AppManifest before = draft.manifest;
  PlanInput input{.draft = draft, .fit = {}};
  EXPECT_NE(plan_lines(input).back(), "  flows      open connections end") << "a first push";
  input.previous = &before;
  EXPECT_EQ(plan_lines(input).back(), "  flows      open connections end");
  input.stage_only = true;
  EXPECT_NE(plan_lines(input).back(), "  flows      open connections end") << "nothing is started";
}

TEST(Plan, AWarmSpareIsToldWithItsMemory) {
  Draft draft = dns_draft();
  draft.manifest.set_memory_bytes(16 * 1024 * 1024);
  draft.manifest.mutable_restart()->set_spare(fleet::v1::SPARE_WARM);
  const Lines lines = plan_lines({.draft = draft, .fit = {}});
  EXPECT_EQ(lines.at(lines.size() - 2), "  memory     16 MiB and as much for its warm spare");
}

TEST(Plan, AReleaseThatFitsNowhereIsRefusedWithEachReason) {
  Draft draft;
  draft.manifest.set_name("dns");
  add_image(draft, fleet::v1::AARCH64, fleet::v1::HVT, "dns.aarch64.hvt", 398, "51d04b12", "");
  fleet::v1::DeviceList devices;
  add_device(devices, "edge-1", fleet::v1::X86_64, "hvt");
  const Fit fit = fit_of(draft.manifest, devices);
  EXPECT_EQ(fit.fitting, 0u);
  const proto::Status status = check_any_fits(draft.manifest, fit);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, proto::Code::no_fit);
  EXPECT_NE(status.error().what.find("edge-1: "), std::string::npos);
  EXPECT_NE(status.error().what.find("nothing was signed or uploaded"), std::string::npos);
}

TEST(Plan, ADeviceThatNeverSaidWhatItIsIsNotRefusedHere) {
  const Draft draft = dns_draft();
  fleet::v1::DeviceList devices;
  devices.add_devices()->set_name("new");
  EXPECT_EQ(fit_of(draft.manifest, devices).fitting, 1u);
  // Enrolled, so its CPU is known, but its probe was never heard of.
  auto& device = *devices.mutable_devices(0);
  device.mutable_inventory()->set_arch(fleet::v1::X86_64);
  EXPECT_EQ(fit_of(draft.manifest, devices).fitting, 1u);
  device.set_online(true);
  EXPECT_EQ(fit_of(draft.manifest, devices).fitting, 0u) << "it says that it has none";
}

TEST(Plan, JsonIsOneDocument) {
  const Draft draft = dns_draft();
  fleet::v1::DeviceList devices;
  add_device(devices, "edge-1", fleet::v1::X86_64, "spt");
  const Fit fit = fit_of(draft.manifest, devices);
  const auto parsed = ota::parse_json(plan_json({.draft = draft, .fit = fit}, "edge"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->find("selector")->as_string(), "edge");
  EXPECT_EQ(parsed->find("images")->as_array().size(), 3u);
}

TEST(Plan, TheSameContentHasTheSameBytes) {
  fleet::v1::AppManifest a;
  fleet::v1::AppManifest b;
  for (int i = 0; i < 50; ++i) (*a.mutable_env())["K" + std::to_string(i)] = "v";
  for (int i = 49; i >= 0; --i) (*b.mutable_env())["K" + std::to_string(i)] = "v";
  EXPECT_EQ(manifest_bytes(a), manifest_bytes(b));
}

TEST(Plan, ASelectorThatMatchesNothingReadsLikeTheTranscript) {
  fleet::v1::DeviceList list;
  list.set_fleet_size(300);
  list.add_nearest("lyon (3 devices)");
  list.add_nearest("london (12)");
  EXPECT_EQ(no_match("site=lyonn", list, "nothing was signed or uploaded").what,
            "--to site=lyonn matches none of 300 devices; nothing was signed or uploaded\n"
            "label site has no value \"lyonn\"; nearest: lyon (3 devices), london (12)\n"
            "see what there is:  fleetctl devices --labels");
  list.set_fleet_size(0);
  EXPECT_NE(no_match("edge", list, "").what.find("fleetctl enroll-token"), std::string::npos);
}

TEST(Upload, TheBarFillsAndEndsAtAHundred) {
  EXPECT_EQ(upload_line(0, 0), "Uploading 0 B  ==============================  100%");
  EXPECT_EQ(upload_line(50, 100), "Uploading 100 B  ===============---------------  50%");
}

}  // namespace
}  // namespace fleetctl
