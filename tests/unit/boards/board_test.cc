// Boards: the files that we ship, the errors of those that people write, and what fits where.
#include "boards/board.h"

#include <gtest/gtest.h>

#include <functional>

namespace boards {
namespace {

using fleet::v1::AppManifest;
using proto::Code;

constexpr std::uint64_t kMiB = 1024 * 1024;

const std::string kGood =
    "version: 1\nname: pi\narch: aarch64\nmonitors: [spt, qemu]\nmemory_reserve: 32M\n";

TEST(Board, TheGenericOnesAreTheShippedFiles) {
  const std::string folder = std::string(FLEET_BOARDS_DIR) + "/";
  for (const fleet::v1::Arch arch : {fleet::v1::X86_64, fleet::v1::AARCH64}) {
    const Board generic = generic_board(arch);
    auto loaded = load_board(folder + generic.name + ".yaml");
    ASSERT_TRUE(loaded) << loaded.error().what;
    EXPECT_EQ(*loaded, generic);
  }
}

TEST(Board, AFileIsReadWhole) {
  auto board = parse_board(kGood, "pi.yaml");
  ASSERT_TRUE(board) << board.error().what;
  const Board want = {"pi", "pi", fleet::v1::AARCH64,
                      {fleet::v1::MONITOR_SPT, fleet::v1::MONITOR_QEMU}, 32 * kMiB};
  EXPECT_EQ(*board, want);
}

TEST(Board, EveryMistakeHasItsPlace) {
  struct Case {
    const char* sentence;
    std::string text;
    const char* what;
  };
  const std::string head = "version: 1\nname: pi\narch: aarch64\n";
  const std::vector<Case> cases = {
      {"an unknown key", kGood + "monitor: [qemu]\n",
       "pi.yaml:6: monitor: unknown key; nearest: monitors"},
      {"a key far from all", kGood + "zzzzzzzz: 1\n", "pi.yaml:6: zzzzzzzz: unknown key"},
      {"a key twice", kGood + "name: other\n", "pi.yaml:6: name: given twice"},
      {"no name", "version: 1\narch: x86_64\nmonitors: [spt]\n", "name: is missing"},
      {"a bad name", "version: 1\nname: Pi 4\narch: x86_64\nmonitors: [spt]\n",
       "pi.yaml:2: name: a letter"},
      {"another version", "version: 2\nname: pi\n", "pi.yaml:1: version: 1 is known, not 2"},
      {"an unknown CPU", "version: 1\nname: pi\narch: arm\nmonitors: [spt]\n",
       "pi.yaml:3: arch: one of x86_64, aarch64"},
      {"an unknown monitor", head + "monitors: [spt, xen]\n",
       "pi.yaml:4: monitors: one of hvt, spt, qemu, firecracker"},
      {"no monitor", head + "monitors: []\n", "pi.yaml:4: monitors: a list"},
      {"a monitor twice", head + "monitors: [spt, spt]\n", "spt is given twice"},
      {"a bare number", head + "monitors: [spt]\nmemory_reserve: 64\n",
       "pi.yaml:5: memory_reserve: 64 has no unit"},
      {"a list for a word", head + "monitors: [spt]\ndescription: [a]\n",
       "pi.yaml:5: description: one value"},
      {"no map", "- a\n- b\n", "pi.yaml:1: a board file is a map"},
      {"broken YAML", "version: 1\nname: [\n", "pi.yaml:"},
      {"two documents", kGood + "---\n" + kGood, "pi.yaml: more than one document"},
      {"bytes that are no text", kGood + "# \xFF\n", "pi.yaml:6: not UTF-8"},
      {"nothing", "", "pi.yaml: empty"},
  };
  for (const Case& one : cases) {
    auto board = parse_board(one.text, "pi.yaml");
    ASSERT_FALSE(board) << one.sentence;
    EXPECT_EQ(board.error().code, Code::bad_argument) << one.sentence;
    EXPECT_NE(board.error().what.find(one.what), std::string::npos)
        << one.sentence << ": " << board.error().what;
  }
}

TEST(Board, AFileCutAnywhereIsReadOrRefused) {
  for (std::size_t length = 0; length < kGood.size(); ++length) {
    auto board = parse_board(kGood.substr(0, length), "pi.yaml");
    if (board) continue;
    EXPECT_EQ(board.error().code, Code::bad_argument) << length;
  }
}

TEST(Board, FilesThatAreNotThereOrTooLong) {
  EXPECT_EQ(load_board("/nonexistent/pi.yaml").error().code, Code::not_found);
  EXPECT_EQ(parse_board(std::string(70'000, '#'), "x").error().code, Code::too_large);
}

AppManifest dns() {
  AppManifest manifest;
  manifest.set_name("dns");
  const auto add = [&](fleet::v1::Arch arch, fleet::v1::Platform platform) {
    auto* image = manifest.add_images();
    image->set_arch(arch);
    image->set_platform(platform);
  };
  add(fleet::v1::X86_64, fleet::v1::SPT);
  add(fleet::v1::X86_64, fleet::v1::VIRTIO);
  add(fleet::v1::AARCH64, fleet::v1::HVT);
  return manifest;
}

TEST(Fit, EveryRefusalNamesNeedAndHave) {
  struct Case {
    const char* sentence;
    std::function<void(AppManifest&)> change;
    Code code;
    const char* what;
  };
  const std::vector<Case> cases = {
      {"no needs", [](AppManifest&) {}, Code::unset, ""},
      {"the right CPU", [](AppManifest& m) { m.mutable_needs()->set_arch(fleet::v1::X86_64); },
       Code::unset, ""},
      {"another CPU", [](AppManifest& m) { m.mutable_needs()->set_arch(fleet::v1::AARCH64); },
       Code::no_fit, "dns: needs.arch is aarch64, this board is x86_64"},
      {"this board", [](AppManifest& m) { m.mutable_needs()->add_boards("x86_64-generic"); },
       Code::unset, ""},
      {"other boards",
       [](AppManifest& m) {
         m.mutable_needs()->add_boards("pi4");
         m.mutable_needs()->add_boards("pi5");
       },
       Code::no_fit, "needs.boards is pi4, pi5, this board is x86_64-generic"},
      {"a label that is there",
       [](AppManifest& m) { (*m.mutable_needs()->mutable_labels())["site"] = "lyon"; },
       Code::unset, ""},
      {"another value of a label",
       [](AppManifest& m) { (*m.mutable_needs()->mutable_labels())["site"] = "paris"; },
       Code::no_fit, "needs label site=paris, this device has site=lyon"},
      {"a label that is not there",
       [](AppManifest& m) { (*m.mutable_needs()->mutable_labels())["role"] = "resolver"; },
       Code::no_fit, "needs label role=resolver, this device has no label role"},
      {"memory to the last byte",
       [](AppManifest& m) { m.mutable_needs()->set_memory_free_bytes(36 * kMiB); }, Code::unset,
       ""},
      {"a byte too much memory",
       [](AppManifest& m) { m.mutable_needs()->set_memory_free_bytes(36 * kMiB + 1); },
       Code::no_memory, "100 MiB are free here and the board keeps 64 MiB"},
      {"memory with its warm spare to the last byte",
       [](AppManifest& m) {
         m.mutable_needs()->set_memory_free_bytes(20 * kMiB);
         m.set_memory_bytes(16 * kMiB);
         m.mutable_restart()->set_spare(fleet::v1::SPARE_WARM);
       },
       Code::unset, ""},
      {"a byte too much memory with its warm spare",
       [](AppManifest& m) {
         m.mutable_needs()->set_memory_free_bytes(20 * kMiB + 1);
         m.set_memory_bytes(16 * kMiB);
         m.mutable_restart()->set_spare(fleet::v1::SPARE_WARM);
       },
       Code::no_memory, "the warm spare takes 16 MiB"},
      {"no image for this CPU",
       [](AppManifest& m) { m.mutable_images()->DeleteSubrange(0, 2); }, Code::wrong_arch,
       "its images are for aarch64, this device is x86_64"},
  };
  const Board board = generic_board(fleet::v1::X86_64);
  const FitFacts facts = {{{"site", "lyon"}}, 100 * kMiB};
  for (const Case& one : cases) {
    AppManifest manifest = dns();
    one.change(manifest);
    const Status fits = check_fit(manifest, board, facts);
    EXPECT_EQ(fits ? Code::unset : fits.error().code, one.code) << one.sentence;
    if (!fits) {
      EXPECT_NE(fits.error().what.find(one.what), std::string::npos) << fits.error().what;
    }
  }
}

TEST(Fit, LessFreeThanTheReserveIsNoMemory) {
  AppManifest manifest = dns();
  manifest.mutable_needs()->set_memory_free_bytes(1);
  const Status fits = check_fit(manifest, generic_board(fleet::v1::X86_64), {{}, kMiB});
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code, Code::no_memory);
}

RankedMonitor monitor(fleet::v1::MonitorKind kind, const char* label, bool usable = true) {
  return {kind, usable, label, usable ? "ran a guest" : "not installed"};
}

TEST(PickImage, TheBestUsableMonitorDecides) {
  using namespace fleet::v1;
  const RankedMonitor hvt = monitor(MONITOR_HVT, "hvt");
  const RankedMonitor spt = monitor(MONITOR_SPT, "spt");
  const RankedMonitor qemu = monitor(MONITOR_QEMU, "qemu/tcg");
  const RankedMonitor no_spt = monitor(MONITOR_SPT, "spt", false);
  const RankedMonitor no_qemu = monitor(MONITOR_QEMU, "qemu", false);
  struct Case {
    const char* sentence;
    std::vector<RankedMonitor> monitors;
    std::vector<MonitorKind> wanted;
    Code code;
    ImagePick pick;
    const char* what;
  };
  const std::vector<Case> cases = {
      {"the first that takes an image", {hvt, spt, qemu}, {}, Code::unset, {0, 1}, ""},
      {"the device's order counts", {qemu, spt}, {}, Code::unset, {1, 0}, ""},
      {"the manifest's list narrows it", {spt, qemu}, {MONITOR_QEMU}, Code::unset, {1, 1}, ""},
      {"one that is not usable is passed over", {no_spt, qemu}, {}, Code::unset, {1, 1}, ""},
      {"none is usable", {no_spt, no_qemu}, {}, Code::monitor_missing, {},
       "it needs spt, qemu, firecracker; spt: not installed"},
      {"none takes it", {hvt}, {}, Code::no_monitor, {},
       "it needs spt, qemu, firecracker; this device has hvt"},
      {"there is none at all", {}, {}, Code::no_monitor, {}, "this device has none"},
      {"the list leaves all out", {spt, qemu}, {MONITOR_HVT}, Code::no_monitor, {},
       "`monitors` leaves out"},
  };
  for (const Case& one : cases) {
    AppManifest manifest = dns();
    for (const MonitorKind kind : one.wanted) manifest.add_monitors(kind);
    auto pick = pick_image(manifest, X86_64, one.monitors);
    EXPECT_EQ(pick ? Code::unset : pick.error().code, one.code) << one.sentence;
    if (pick) {
      EXPECT_EQ(*pick, one.pick) << one.sentence;
    } else {
      EXPECT_NE(pick.error().what.find(one.what), std::string::npos) << pick.error().what;
    }
  }
}

TEST(PickImage, AnAppForAnotherCpuSaysSo) {
  AppManifest manifest = dns();
  manifest.mutable_images()->RemoveLast();
  auto pick = pick_image(manifest, fleet::v1::AARCH64, {});
  ASSERT_FALSE(pick);
  EXPECT_EQ(pick.error().code, Code::wrong_arch);
  EXPECT_EQ(pick.error().what,
            "dns: its images are for x86_64, this device is aarch64; push an image for it");
}

}  // namespace
}  // namespace boards
