// The probe's verdicts, with a launcher that answers what a host with a bad KVM would.
#include "agent/monitors/probe.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <map>
#include <span>

#include "agent/monitors/probe_guest.h"
#include "images/abi/arm64_image.h"
#include "images/inspect.h"

namespace monitors {
namespace {

using agent::Fd;
using proto::Result;
using proto::Status;

/// How the fake's monitor ends in one way.
struct End {
  int wait_status = 0;
  std::uint64_t lived_ms = 30;
  bool hangs = false;
  std::string console;
  std::string report;
};

constexpr int kQemuDone = qemu_probe_status() << 8;
constexpr int kTenderDone = kProbeStatus << 8;

class FakeLauncher : public agent::Launcher {
 public:
  std::map<bool, End> ends{{false, {kQemuDone, 30, false, "", ""}},
                           {true, {kQemuDone, 30, false, "", ""}}};  // QEMU's, by kvm
  End spt{kTenderDone, 3, false, "", ""};
  End hvt{kTenderDone, 4, false, "", ""};
  bool qemu_present = true;
  bool tenders_present = false;
  std::vector<std::string> started;
  std::vector<agent::Instance> instances;

  Result<agent::LauncherInfo> info() override {
    agent::LauncherInfo info;
    info.kvm_allowed = true;
    info.qemu_present = qemu_present;
    info.spt_present = info.hvt_present = tenders_present;
    return info;
  }
  Status start(agent::StartRequest request) override {
    if (request.program == agent::Program::qemu && !qemu_present) {
      return proto::Error{proto::Code::monitor_missing, "apt install qemu-system-x86", ""};
    }
    switch (request.program) {
      case agent::Program::qemu: end_ = ends[request.kvm]; break;
      case agent::Program::spt: end_ = spt; break;
      case agent::Program::hvt: end_ = hvt; break;
    }
    started.push_back(request.program == agent::Program::qemu ? "qemu"
                      : request.program == agent::Program::spt ? "spt" : "hvt");
    agent::Instance instance;
    instance.id = request.id;
    instance.tag = request.tag;
    instance.started_ms = 1000;
    instance.exited_ms = 1000 + end_.lived_ms;
    instance.wait_status = end_.wait_status;
    instance.state = end_.hangs ? agent::InstanceState::running : agent::InstanceState::exited;
    instances.push_back(instance);
    return {};
  }
  Status stop(const std::string&, std::uint32_t) override {
    for (agent::Instance& one : instances) {
      one.state = agent::InstanceState::exited;
      one.wait_status = 9;
    }
    return {};
  }
  Status remove(const std::string& id) override {
    std::erase_if(instances, [&id](const agent::Instance& one) { return one.id == id; });
    return {};
  }
  Result<std::vector<agent::Instance>> list() override { return instances; }
  Status set_ports(const std::string&, bool) override { return {}; }
  Status hand_over(const std::string&, const std::string&) override { return {}; }
  Status bypass(const std::vector<agent::BridgePair>&) override { return {}; }
  Status publish(const std::vector<agent::PublishedPort>&) override { return {}; }
  Status flush_flows(const std::vector<agent::Flow>&) override { return {}; }
  Result<agent::ConsoleChunk> read_console(const std::string&, std::uint64_t) override {
    return agent::ConsoleChunk{end_.console, 0, 0};
  }
  Result<std::string> read_report(const std::string&) override { return end_.report; }
  Result<Fd> open_events() override {
    int ends_of_pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_of_pair), 0);
    other_ = Fd(ends_of_pair[1]);
    return Fd(ends_of_pair[0]);
  }

 private:
  End end_;
  Fd other_;
};

constexpr ProbeOptions kQuick{20};

TEST(Probe, ATrueKvmComesFirst) {
  FakeLauncher launcher;
  const auto results = probe_monitors(launcher, kQuick);
  ASSERT_TRUE(results.has_value());
  ASSERT_EQ(results->size(), 2u);
  EXPECT_TRUE(results->front().kvm);
  EXPECT_EQ(best_for(*results, "qemu"), &results->front());
  EXPECT_EQ(best_for(*results, "hvt"), nullptr);
  EXPECT_TRUE(launcher.instances.empty());
}

// As seen in an emulated machine, where everything takes long.
TEST(Probe, ASlowMachinesTrueKvmIsNotTakenForOneThatInterprets) {
  FakeLauncher launcher;
  launcher.tenders_present = true;
  launcher.spt.lived_ms = 121;
  launcher.hvt.lived_ms = 446;
  const auto results = probe_monitors(launcher, kQuick);
  ASSERT_TRUE(results.has_value());
  EXPECT_EQ(results->front().monitor, "hvt");
  EXPECT_TRUE(results->front().usable) << results->front().evidence;
}

TEST(Probe, ABadKvmIsRejectedWithItsEvidence) {
  struct Case {
    End end;
    const char* words;
  };
  const Case cases[] = {
      {{kQemuDone, 1100, false, "", ""}, "interprets instructions"},
      {{0, 0, true, "", ""}, "did not end within 20 ms"},
      {{1 << 8, 20, false, "qemu: error: failed to set MSR 0x10a\nabc", ""},
       "failed to set MSR 0x10a"},
      {{6, 20, false, "KVM internal error. Suberror: 1", ""}, "signal 6 after 20 ms: KVM internal"},
  };
  for (const Case& one : cases) {
    FakeLauncher launcher;
    launcher.ends[true] = one.end;
    const auto results = probe_monitors(launcher, kQuick);
    ASSERT_TRUE(results.has_value()) << results.error().what;
    EXPECT_FALSE(results->front().kvm);
    EXPECT_FALSE(results->back().usable);
    EXPECT_NE(results->back().evidence.find(one.words), std::string::npos)
        << results->back().evidence;
    EXPECT_TRUE(launcher.instances.empty()) << "the probe left an instance";
  }
}

TEST(Probe, QemuMissingIsSaidAndIsNoError) {
  FakeLauncher launcher;
  launcher.qemu_present = false;
  const auto results = probe_monitors(launcher, kQuick);
  ASSERT_TRUE(results.has_value());
  EXPECT_EQ(best_for(*results, "qemu"), nullptr);
  EXPECT_NE(results->front().evidence.find("qemu-system-x86"), std::string::npos);
}

TEST(Probe, AnOlderProbeIsClearedAway) {
  FakeLauncher launcher;
  agent::Instance old;
  old.id = "old";
  old.tag = kProbeTag;
  old.state = agent::InstanceState::running;
  launcher.instances.push_back(old);
  ASSERT_TRUE(probe_monitors(launcher, kQuick).has_value());
  EXPECT_TRUE(launcher.instances.empty());
}

std::string order(const std::vector<ProbeResult>& results) {
  std::string out;
  for (const ProbeResult& one : results) {
    out += one.monitor + (one.monitor == "qemu" ? (one.kvm ? "/kvm" : "/tcg") : "") +
           (one.usable ? " " : "! ");
  }
  return out;
}

TEST(Probe, OurTendersComeBeforeQemu) {
  FakeLauncher launcher;
  launcher.tenders_present = true;
  const auto results = probe_monitors(launcher, kQuick);
  ASSERT_TRUE(results.has_value());
  EXPECT_EQ(order(*results), "hvt spt qemu/kvm qemu/tcg ");
}

TEST(Probe, AKvmThatHvtShowsToBeUselessIsNotTriedWithQemu) {
  const std::string said =
      R"({"monitor":"fleet-hvt","reason":"monitor_fault","status":0,"signal":0,)"
      R"("what":"KVM could not run the guest: exit 17, detail 1"})";
  for (const End& bad : {End{1 << 8, 5, false, "", said}, End{kTenderDone, 1000, false, "", ""}}) {
    FakeLauncher launcher;
    launcher.tenders_present = true;
    launcher.hvt = bad;
    const auto results = probe_monitors(launcher, kQuick);
    ASSERT_TRUE(results.has_value());
    EXPECT_EQ(order(*results), "spt qemu/tcg hvt! qemu/kvm! ");
    EXPECT_EQ(launcher.started, (std::vector<std::string>{"qemu", "spt", "hvt"}));
    EXPECT_EQ(results->back().evidence, "not tried, because of hvt: " + (*results)[2].evidence);
  }
}

TEST(Probe, AnHvtThatCouldNotBeginTellsNothingOfQemu) {
  FakeLauncher launcher;
  launcher.tenders_present = true;
  launcher.hvt = {1 << 8, 5, false, "",
                  R"({"reason":"monitor_fault","status":0,"what":"KVM: no machine: Bad address"})"};
  const auto results = probe_monitors(launcher, kQuick);
  ASSERT_TRUE(results.has_value());
  EXPECT_EQ(order(*results), "spt qemu/kvm qemu/tcg hvt! ");
  EXPECT_EQ(results->back().evidence, "KVM: no machine: Bad address after 0.01s");
}

TEST(Probe, TheTendersGuestIsASolo5Image) {
  for (const Target target : {Target::spt, Target::hvt}) {
    const std::string guest = solo5_probe_guest(target);
    const auto info = images::inspect(std::as_bytes(std::span(guest)));
    ASSERT_TRUE(info.has_value()) << info.error().what;
    EXPECT_EQ(info->boot, images::BootProtocol::solo5);
    EXPECT_EQ(info->platform,
              target == Target::spt ? images::Platform::spt : images::Platform::hvt);
    EXPECT_TRUE(info->devices.empty());
  }
}

TEST(Probe, TheGuestIsAnElfWithAPvhNote) {
  const std::string guest = qemu_probe_guest(Arch::x86_64);
  Elf32_Ehdr header;
  ASSERT_GE(guest.size(), sizeof header);
  std::memcpy(&header, guest.data(), sizeof header);
  EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
  EXPECT_EQ(header.e_machine, EM_386);
  Elf32_Phdr segments[2];
  std::memcpy(segments, guest.data() + header.e_phoff, sizeof segments);
  EXPECT_EQ(segments[0].p_type, static_cast<Elf32_Word>(PT_LOAD));
  EXPECT_EQ(segments[0].p_paddr, header.e_entry);
  EXPECT_EQ(segments[1].p_type, static_cast<Elf32_Word>(PT_NOTE));
  std::uint32_t entry = 0;
  std::memcpy(&entry, guest.data() + segments[1].p_offset + 16, 4);
  EXPECT_EQ(entry, header.e_entry);
}

TEST(Probe, TheGuestOnArmIsAnImageThatBeginsWithABranch) {
  const std::string guest = qemu_probe_guest(Arch::aarch64);
  images::abi::Arm64ImageHeader header;
  ASSERT_GT(guest.size(), sizeof header);
  std::memcpy(&header, guest.data(), sizeof header);
  EXPECT_EQ(header.code[0], 0x14000010u) << "over the header";
  EXPECT_EQ(header.magic, images::abi::kArm64ImageMagic);
  EXPECT_EQ(header.size_bytes, guest.size());
  const auto info = images::inspect(std::as_bytes(std::span(guest)));
  ASSERT_TRUE(info.has_value()) << info.error().what;
  EXPECT_EQ(info->boot, images::BootProtocol::arm64_image);
}

}  // namespace
}  // namespace monitors
