// The probe's verdicts, with a launcher that answers what a host with a bad KVM would.
#include "agent/monitors/probe.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <map>

namespace monitors {
namespace {

using agent::Fd;
using proto::Result;
using proto::Status;

/// How the fake's QEMU ends under one accelerator.
struct End {
  int wait_status = kProbeExitStatus << 8;
  std::uint64_t lived_ms = 30;
  bool hangs = false;
  std::string console;
};

class FakeLauncher : public agent::Launcher {
 public:
  std::map<bool, End> ends{{false, {}}, {true, {}}};  // by kvm
  bool qemu_present = true;
  std::vector<agent::Instance> instances;

  Result<agent::LauncherInfo> info() override {
    agent::LauncherInfo info;
    info.kvm_allowed = true;
    info.qemu_present = qemu_present;
    return info;
  }
  Status start(agent::StartRequest request) override {
    if (!qemu_present) {
      return proto::Error{proto::Code::monitor_missing, "apt install qemu-system-x86", ""};
    }
    end_ = ends[request.kvm];
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
  Status publish(const std::vector<agent::PublishedPort>&) override { return {}; }
  Status flush_flows(const std::vector<agent::Flow>&) override { return {}; }
  Result<agent::ConsoleChunk> read_console(const std::string&, std::uint64_t) override {
    return agent::ConsoleChunk{end_.console, 0, 0};
  }
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
  EXPECT_EQ(results->front().accelerator, Accelerator::kvm);
  EXPECT_EQ(best_for(*results, "qemu"), &results->front());
  EXPECT_EQ(best_for(*results, "hvt"), nullptr);
  EXPECT_TRUE(launcher.instances.empty());
}

TEST(Probe, ABadKvmIsRejectedWithItsEvidence) {
  struct Case {
    End end;
    const char* words;
  };
  const Case cases[] = {
      {{kProbeExitStatus << 8, 1100, false, ""}, "interprets instructions"},
      {{0, 0, true, ""}, "did not end within 20 ms"},
      {{1 << 8, 20, false, "qemu: error: failed to set MSR 0x10a\nabc"}, "failed to set MSR 0x10a"},
      {{6, 20, false, "KVM internal error. Suberror: 1"}, "signal 6 after 20 ms: KVM internal"},
  };
  for (const Case& one : cases) {
    FakeLauncher launcher;
    launcher.ends[true] = one.end;
    const auto results = probe_monitors(launcher, kQuick);
    ASSERT_TRUE(results.has_value()) << results.error().what;
    EXPECT_EQ(results->front().accelerator, Accelerator::tcg);
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

TEST(Probe, TheGuestIsAnElfWithAPvhNote) {
  const std::string guest = probe_guest();
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

}  // namespace
}  // namespace monitors
