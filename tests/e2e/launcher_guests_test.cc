// The launcher with real guests: jail, firewall, published ports, the switch, consoles, and what is
// left after a kill -9. Needs root; everything happens in namespaces of its own.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/monitors/config_volume.h"
#include "agent/monitors/probe.h"
#include "agent/monitors/probe_guest.h"
#include "agent/monitors/qemu.h"
#include "agent/network.h"
#include "tests/e2e/launcher_world.h"

namespace e2e {
namespace {

using agent::Ipv4;
using agent::PublishedPort;
using agent::Protocol;
using agent::SocketLauncher;

constexpr Ipv4 kGuestA{0x0ad54d02};  // 10.213.77.2
constexpr Ipv4 kGuestB{0x0ad54d03};

class LauncherGuests : public ::testing::Test {
 protected:
  explicit LauncherGuests(const LauncherOptions& options = {},
                          monitors::Arch arch = monitors::kHostArch)
      : process_(options), qemu_(monitors::Accelerator::tcg, arch) {}

  void SetUp() override {
    enter_namespaces();
    ASSERT_TRUE(process_.start()) << process_.log();
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(process_.log().c_str(), stderr);
  }

  std::string start_dns(Ipv4 address, const std::string& answer) {
    const std::string id = new_id();
    auto request = qemu_.command(dns_launch(id, address, answer));
    EXPECT_TRUE(request.has_value()) << request.error().what;
    const auto started = launcher_.start(std::move(*request));
    EXPECT_TRUE(started.has_value()) << started.error().what;
    return id;
  }
  std::string console(const std::string& id) {
    const auto chunk = launcher_.read_console(id, 0);
    return chunk ? chunk->bytes : chunk.error().what;
  }

  LauncherProcess process_;
  SocketLauncher launcher_{process_.socket()};
  monitors::QemuMonitor qemu_;
};

PublishedPort udp53(Ipv4 guest) { return {{}, Protocol::udp, 53, guest, 53}; }

TEST_F(LauncherGuests, TheProbeRunsAGuestAndSaysWhatItSaw) {
  const auto results = monitors::probe_monitors(launcher_);
  ASSERT_TRUE(results.has_value()) << results.error().what;
  for (const auto& result : *results) {
    std::printf("probe: %s %s %s: %s\n", result.monitor.c_str(), result.kvm ? "kvm" : "no kvm",
                result.usable ? "usable" : "rejected", result.evidence.c_str());
    EXPECT_FALSE(result.evidence.empty());
  }
  ASSERT_NE(monitors::best_for(*results, "qemu"), nullptr);
  ASSERT_NE(monitors::best_for(*results, "spt"), nullptr);
  EXPECT_TRUE(launcher_.list()->empty()) << "the probe left an instance";
}

TEST_F(LauncherGuests, APublishedPortIsAnsweredByAJailedGuest) {
  const std::string id = start_dns(kGuestA, "192.0.2.10");
  ASSERT_TRUE(launcher_.publish({udp53(kGuestA)}).has_value());
  EXPECT_EQ(ask_patiently(client_socket(0), kDeviceAddress, 53), "192.0.2.10") << console(id);

  const agent::Instance instance = find(launcher_, id);
  EXPECT_EQ(instance.state, agent::InstanceState::running);
  EXPECT_EQ(instance.tag, "dns/1/a");
  EXPECT_GT(instance.rss_bytes, 0u);
  EXPECT_GT(instance.started_ms, 0u);
  EXPECT_EQ(instance.taps.size(), 1u);
  EXPECT_GT(instance.console_bytes, 0u);

  // The jail, as the kernel sees it.
  const pid_t pid = instance.pid;
  EXPECT_EQ(status_line(pid, "Uid").substr(0, 8), "19000000");
  EXPECT_EQ(status_line(pid, "Gid").substr(0, 8), "19000000");
  EXPECT_EQ(status_line(pid, "Groups"), "");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    EXPECT_EQ(status_line(pid, set), "0000000000000000") << set;
  }
  EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
  EXPECT_EQ(status_line(pid, "Seccomp"), "2");
  const auto namespace_of = [](const std::string& process, const char* kind) {
    return std::filesystem::read_symlink("/proc/" + process + "/ns/" + kind).string();
  };
  for (const char* kind : {"mnt", "pid", "ipc", "uts", "net", "cgroup"}) {
    EXPECT_NE(namespace_of(std::to_string(pid), kind), namespace_of("self", kind)) << kind;
  }
  const std::string root = "/proc/" + std::to_string(pid) + "/root";
  EXPECT_FALSE(std::filesystem::exists(root + "/home"));
  EXPECT_FALSE(std::filesystem::exists(root + "/etc/passwd"));
  EXPECT_FALSE(std::filesystem::exists(root + "/dev/kvm"));
  EXPECT_NE(run({"touch", root + "/usr/launcher-test"}), 0) << "the jail's /usr is writable";
  // Nothing open but what was handed over.
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) +
                                                               "/fd")) {
    if (std::stoi(entry.path().filename()) >= agent::kFirstFileFd) continue;  // passed, or its own
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    EXPECT_EQ(target.find("launcher.sock"), std::string::npos);
    EXPECT_NE(target.rfind("/tmp/", 0), 0u) << target;
  }
}

TEST_F(LauncherGuests, ASwitchLosesNoAnswerOfAFixedSourcePort) {
  const std::string old_id = start_dns(kGuestA, "192.0.2.10");
  ASSERT_TRUE(launcher_.publish({udp53(kGuestA)}).has_value());
  const agent::Fd socket = client_socket(5353);
  ASSERT_EQ(ask_patiently(socket, kDeviceAddress, 53), "192.0.2.10") << console(old_id);
  const std::string new_instance = start_dns(kGuestB, "192.0.2.20");
  // Up on its own address before anything moves, as the agent's probe would see it.
  ASSERT_TRUE([&] {
    for (int tries = 0; tries < 500; ++tries) {
      if (console(new_instance).find("isten") != std::string::npos) return true;
      ::usleep(20000);
    }
    return false;
  }()) << console(new_instance);

  std::atomic<bool> stop{false};
  std::atomic<int> lost{0};
  std::vector<std::string> seen;
  std::thread asker([&] {
    while (!stop) {
      const std::string answer = ask(socket, kDeviceAddress, 53, 2000);
      if (answer.empty()) ++lost;
      if (seen.empty() || seen.back() != answer) seen.push_back(answer);
    }
  });
  std::vector<PublishedPort> now = {udp53(kGuestA)};
  for (int turn = 0; turn < 20; ++turn) {
    ::usleep(50000);
    const std::vector<PublishedPort> next = {udp53(turn % 2 == 0 ? kGuestB : kGuestA)};
    const auto switched = agent::switch_ports(launcher_, now, next);
    ASSERT_TRUE(switched.has_value()) << switched.error().what;
    now = next;
  }
  ::usleep(100000);
  stop = true;
  asker.join();
  EXPECT_EQ(lost, 0);
  // Every switch was seen by the one socket: the flow was flushed each time.
  EXPECT_EQ(seen.size(), 21u);
}

TEST_F(LauncherGuests, AClientThatAskedTooEarlyIsHeardOnceThePortIsPublished) {
  const std::string id = start_dns(kGuestA, "192.0.2.10");
  const agent::Fd socket = client_socket(5354);
  for (int tries = 0; tries < 5; ++tries) EXPECT_EQ(ask(socket, kDeviceAddress, 53, 50), "");
  ASSERT_TRUE(agent::switch_ports(launcher_, {}, {udp53(kGuestA)}).has_value());
  // It goes on asking from the same port, so that its flow never gets old.
  EXPECT_EQ(ask_patiently(socket, kDeviceAddress, 53), "192.0.2.10") << console(id);
  // The same when its guest goes and another one comes.
  ASSERT_TRUE(agent::switch_ports(launcher_, {udp53(kGuestA)}, {}).has_value());
  for (int tries = 0; tries < 5; ++tries) EXPECT_EQ(ask(socket, kDeviceAddress, 53, 50), "");
  ASSERT_TRUE(agent::switch_ports(launcher_, {}, {udp53(kGuestA)}).has_value());
  EXPECT_EQ(ask_patiently(socket, kDeviceAddress, 53), "192.0.2.10") << console(id);
}

TEST_F(LauncherGuests, TheConsoleIsKeptAndAGuestIsStoppedInOrder) {
  const auto events = launcher_.open_events();
  ASSERT_TRUE(events.has_value());
  const std::string id = start_dns(kGuestA, "192.0.2.10");
  bool told = false;
  for (int tries = 0; tries < 200 && !told; ++tries) {
    pollfd ready{events->get(), POLLIN, 0};
    ::poll(&ready, 1, 100);
    const auto event = agent::read_event(*events);
    ASSERT_TRUE(event.has_value());
    told = *event && (*event)->kind == agent::LauncherEvent::Kind::console_data;
  }
  EXPECT_TRUE(told);
  ASSERT_TRUE(launcher_.stop(id, 3000).has_value());
  const agent::Instance ended = wait_exit(launcher_, id);
  EXPECT_EQ(ended.state, agent::InstanceState::exited);
  EXPECT_TRUE(ended.stop_asked);
  EXPECT_FALSE(ended.killed) << "SIGTERM was not enough";
  EXPECT_EQ(qemu_.classify_exit(ended, "", "").code, proto::Code::ordered);
  bool exited = false;
  for (int tries = 0; tries < 50 && !exited; ++tries) {
    const auto event = agent::read_event(*events);
    ASSERT_TRUE(event.has_value());
    exited = *event && (*event)->kind == agent::LauncherEvent::Kind::exited;
    if (!*event) ::usleep(10000);
  }
  EXPECT_TRUE(exited);
  EXPECT_FALSE(console(id).empty());
  // By itself a moment later, or with what is left of the instance.
  const auto has_tap = [] {
    return output_of({"ip", "-o", "link"}).find("flt") != std::string::npos;
  };
  for (int tries = 0; tries < 1000 && has_tap(); ++tries) ::usleep(10000);
  EXPECT_FALSE(has_tap()) << "a tap is left";
  EXPECT_TRUE(launcher_.remove(id).has_value());
  const std::string other = start_dns(kGuestA, "192.0.2.10");
  ASSERT_TRUE(launcher_.stop(other, 0).has_value());
  wait_exit(launcher_, other);
  EXPECT_TRUE(launcher_.remove(other).has_value());
  EXPECT_FALSE(has_tap()) << "a tap outlived its instance";
  EXPECT_EQ(launcher_.remove(id).error().code, proto::Code::not_found);
}

TEST_F(LauncherGuests, AKilledGuestIsReportedAsKilled) {
  const std::string id = start_dns(kGuestA, "192.0.2.10");
  EXPECT_EQ(launcher_.remove(id).error().code, proto::Code::conflict);
  ASSERT_TRUE(launcher_.stop(id, 0).has_value());
  EXPECT_TRUE(wait_exit(launcher_, id).killed);
}

TEST_F(LauncherGuests, AForeignKillCountsAsALimit) {
  const std::string id = start_dns(kGuestA, "192.0.2.10");
  ::kill(find(launcher_, id).pid, SIGKILL);
  const agent::Instance ended = wait_exit(launcher_, id);
  EXPECT_TRUE(ended.limit);
  EXPECT_EQ(qemu_.classify_exit(ended, "", "").code, proto::Code::killed_by_limit);
}

TEST_F(LauncherGuests, PortsThatAreDownCarryNothingUntilTheyAreFlipped) {
  const std::string id = new_id();
  auto launch = dns_launch(id, kGuestA, "192.0.2.10");
  launch.ports_down = true;
  ASSERT_TRUE(launcher_.start(std::move(*qemu_.command(std::move(launch)))).has_value());
  ASSERT_TRUE(launcher_.publish({udp53(kGuestA)}).has_value());
  EXPECT_FALSE(find(launcher_, id).ports_up);
  const agent::Fd socket = client_socket(0);
  for (int tries = 0; tries < 10; ++tries) {
    EXPECT_EQ(ask(socket, kDeviceAddress, 53, 200), "");
  }
  ASSERT_TRUE(launcher_.set_ports(id, true).has_value());
  EXPECT_EQ(ask_patiently(socket, kDeviceAddress, 53), "192.0.2.10") << console(id);
  ASSERT_TRUE(launcher_.set_ports(id, false).has_value());
  EXPECT_EQ(ask(socket, kDeviceAddress, 53, 300), "");
}

TEST_F(LauncherGuests, InstancesSurviveTheAgentsConnection) {
  std::string id;
  {
    SocketLauncher first(process_.socket());
    id = new_id();
    auto request = qemu_.command(dns_launch(id, kGuestA, "192.0.2.10"));
    ASSERT_TRUE(first.start(std::move(*request)).has_value());
  }
  ::usleep(100000);
  EXPECT_EQ(find(launcher_, id).state, agent::InstanceState::running);
}

TEST_F(LauncherGuests, AKilledLauncherLeavesNothingAndTheNextOneStartsClean) {
  const std::string id = start_dns(kGuestA, "192.0.2.10");
  ASSERT_TRUE(launcher_.publish({udp53(kGuestA)}).has_value());
  const pid_t guest = find(launcher_, id).pid;
  process_.end(SIGKILL);
  for (int tries = 0; tries < 200 && ::kill(guest, 0) == 0; ++tries) ::usleep(10000);
  EXPECT_NE(::kill(guest, 0), 0) << "the guest outlived its launcher";
  ASSERT_TRUE(process_.start()) << process_.log();
  EXPECT_TRUE(launcher_.list()->empty());
  EXPECT_EQ(output_of({"ip", "-o", "link"}).find("flt"), std::string::npos);
  EXPECT_EQ(output_of({"nft", "list", "ruleset"}).find("10.213.77.2"),
            std::string::npos);
  // And it works again.
  start_dns(kGuestA, "192.0.2.30");
  ASSERT_TRUE(launcher_.publish({udp53(kGuestA)}).has_value());
  EXPECT_EQ(ask_patiently(client_socket(0), kDeviceAddress, 53), "192.0.2.30");
}

TEST_F(LauncherGuests, AStoppedLauncherTakesEverythingWithIt) {
  start_dns(kGuestA, "192.0.2.10");
  const int status = process_.end(SIGTERM);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << process_.log();
  const std::string links = output_of({"ip", "-o", "link"});
  EXPECT_EQ(links.find("flt"), std::string::npos);
  EXPECT_EQ(links.find("fleet0"), std::string::npos);
  EXPECT_EQ(output_of({"nft", "list", "ruleset"}), "");
  EXPECT_EQ(output_of({"cat", "/proc/sys/net/ipv4/ip_forward"}), "0\n");
  EXPECT_FALSE(std::filesystem::exists(process_.folder() + "/run/state"));
}

TEST_F(LauncherGuests, QemuMissingIsSaidWithItsPackage) {
  process_.end(SIGTERM);
  std::ofstream(process_.folder() + "/launcher.conf", std::ios::app)
      << "qemu = /usr/bin/qemu-not-here\n";
  ASSERT_TRUE(process_.start()) << process_.log();
  auto request = qemu_.command(dns_launch(new_id(), kGuestA, "192.0.2.10"));
  const auto started = launcher_.start(std::move(*request));
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, proto::Code::monitor_missing);
  EXPECT_NE(started.error().what.find("qemu-system-x86"), std::string::npos);
  const auto results = monitors::probe_monitors(launcher_);
  ASSERT_TRUE(results.has_value()) << results.error().what;
  EXPECT_EQ(monitors::best_for(*results, "qemu"), nullptr);
}

// What an agent on ARM64 asks for, of a QEMU that emulates one.
class LauncherOfArm64 : public LauncherGuests {
 protected:
  LauncherOfArm64()
      : LauncherGuests({.extra_conf = "qemu = /usr/bin/qemu-system-aarch64\n"},
                       monitors::Arch::aarch64) {}
};

TEST_F(LauncherOfArm64, TheProbesGuestSaysItsWordAndSwitchesOff) {
  auto guest = monitors::memory_file("probe", monitors::qemu_probe_guest(monitors::Arch::aarch64));
  ASSERT_TRUE(guest.has_value()) << guest.error().what;
  agent::StartRequest request;
  request.id = new_id();
  request.arguments = monitors::qemu_base_arguments(monitors::Machine::virt,
                                                    monitors::Accelerator::tcg, 16, 1);
  request.arguments.insert(request.arguments.end(), {"-kernel", "/proc/self/fd/10"});
  request.files.push_back(std::move(*guest));
  request.memory_max_mib = 16 + monitors::kQemuOverheadMib;
  const std::string id = request.id;
  const auto started = launcher_.start(std::move(request));
  ASSERT_TRUE(started.has_value()) << started.error().what;
  const agent::Instance ended = wait_exit(launcher_, id);
  EXPECT_TRUE(WIFEXITED(ended.wait_status));
  EXPECT_EQ(WEXITSTATUS(ended.wait_status), monitors::qemu_probe_status(monitors::Arch::aarch64));
  EXPECT_EQ(console(id), monitors::kProbeWord);
}

TEST_F(LauncherOfArm64, AnImageServesAndItsEndIsTold) {
  auto launch = dns_launch(new_id(), kGuestA, "192.0.2.64", monitors::Boot::arm64_image);
  const std::string serving = launch.instance_id;
  auto request = qemu_.command(std::move(launch));
  ASSERT_TRUE(request.has_value()) << request.error().what;
  const auto started = launcher_.start(std::move(*request));
  ASSERT_TRUE(started.has_value()) << started.error().what;
  ASSERT_TRUE(launcher_.publish({udp53(kGuestA)}).has_value());
  const agent::Fd client = client_socket(0);
  EXPECT_EQ(ask_patiently(client, kDeviceAddress, 53), "192.0.2.64") << console(serving);

  launch = dns_launch(new_id(), kGuestB, "192.0.2.65", monitors::Boot::arm64_image);
  launch.config.args = {"--no-such-option"};
  const std::string refusing = launch.instance_id;
  ASSERT_TRUE(launcher_.start(std::move(*qemu_.command(std::move(launch)))).has_value());
  const agent::Instance ended = wait_exit(launcher_, refusing);
  const monitors::ExitReason reason = qemu_.classify_exit(ended, console(refusing), "");
  EXPECT_EQ(reason.code, proto::Code::guest_exit) << reason.what;
  EXPECT_EQ(reason.status, 1) << console(refusing);
}

}  // namespace
}  // namespace e2e
