// The tenders under the real launcher: what their jail holds, what they answer, how an end is
// told. Our guests are integer code, so hvt's run wherever there is a /dev/kvm, even if it only
// emulates.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "agent/monitors/config_volume.h"
#include "agent/monitors/tender.h"
#include "proto/limits.h"
#include "tests/e2e/launcher_world.h"

namespace e2e {
namespace {

using agent::Ipv4;
using proto::Code;

constexpr Ipv4 kGuest{0x0ad54d02};  // 10.213.77.2

class LauncherTender : public ::testing::TestWithParam<monitors::Target> {
 protected:
  bool hvt() const { return GetParam() == monitors::Target::hvt; }
  void SetUp() override {
    enter_namespaces();
    ASSERT_TRUE(process_.start()) << process_.log();
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(process_.log().c_str(), stderr);
  }

  std::string start(agent::StartRequest request) {
    const std::string id = request.id = new_id();
    const auto started = launcher_.start(std::move(request));
    EXPECT_TRUE(started.has_value()) << started.error().what;
    return id;
  }
  std::string start_dns(Ipv4 address = kGuest) {
    const auto boot = hvt() ? monitors::Boot::hvt : monitors::Boot::spt;
    auto request = monitor_.command(dns_launch("", address, "192.0.2.10", boot));
    EXPECT_TRUE(request.has_value()) << request.error().what;
    return start(std::move(*request));
  }
  monitors::ExitReason reason(const agent::Instance& ended) {
    const auto report = launcher_.read_report(ended.id);
    EXPECT_TRUE(report.has_value()) << report.error().what;
    return monitor_.classify_exit(ended, "", *report);
  }
  /// The process that is the guest. spt: the only child of the one that reports, soon after the
  /// start. 0: there is none.
  pid_t guest_of(const std::string& id) {
    if (hvt()) return find(launcher_, id).pid;
    const std::string number = std::to_string(find(launcher_, id).pid);
    for (int tries = 0; tries < 500; ++tries) {
      std::ifstream children("/proc/" + number + "/task/" + number + "/children");
      pid_t child = 0;
      if (children >> child) return child;
      ::usleep(10'000);
    }
    return 0;
  }
  void kill_guest(const std::string& id, int signal) {
    const pid_t guest = guest_of(id);
    ASSERT_GT(guest, 0);
    ::kill(guest, signal);
  }

  LauncherProcess process_;
  agent::SocketLauncher launcher_{process_.socket()};
  monitors::TenderMonitor monitor_{GetParam()};
};

TEST_P(LauncherTender, AGuestAnswersFromAnEmptyRoot) {
  const std::string id = start_dns();
  ASSERT_TRUE(launcher_.publish({{{}, agent::Protocol::udp, 53, kGuest, 53}}).has_value());
  EXPECT_EQ(ask_patiently(client_socket(0), kDeviceAddress, 53), "192.0.2.10")
      << launcher_.read_console(id, 0)->bytes;

  const agent::Instance instance = find(launcher_, id);
  const pid_t guest = guest_of(id);
  ASSERT_GT(guest, 0);
  for (const pid_t pid : {instance.pid, guest}) {
    EXPECT_EQ(status_line(pid, "Uid").substr(0, 8), "19000000");
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      EXPECT_EQ(status_line(pid, set), "0000000000000000") << set;
    }
    EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
    EXPECT_EQ(status_line(pid, "Seccomp"), "2");
    const std::string root = "/proc/" + std::to_string(pid) + "/root/";
    EXPECT_TRUE(std::filesystem::is_empty(root));
  }
  // Console, tap, config volume, epoll and timer; hvt: its CPU, signals, report. Nothing else.
  std::size_t open_files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(guest) + "/fd")) {
    const std::string target = std::filesystem::read_symlink(entry.path()).string();
    EXPECT_EQ(target.find("launcher"), std::string::npos) << target;
    EXPECT_NE(target.rfind("/tmp", 0), 0u) << target;
    ++open_files;
  }
  EXPECT_LE(open_files, hvt() ? 10u : 7u);
  // spt: the guest's memory is counted, not only the reporter's.
  EXPECT_GT(instance.rss_bytes, 200'000u);
}

TEST_P(LauncherTender, AStopIsToldAsAnOrder) {
  const std::string id = start_dns();
  EXPECT_EQ(launcher_.read_report(id).value(), "");  // it runs
  ASSERT_TRUE(launcher_.stop(id, 5000).has_value());
  const agent::Instance ended = wait_exit(launcher_, id);
  ASSERT_EQ(ended.state, agent::InstanceState::exited);
  EXPECT_FALSE(ended.killed);
  EXPECT_EQ(reason(ended).code, Code::ordered);
  EXPECT_NE(launcher_.read_report(id)->find("\"reason\":\"ordered\""), std::string::npos);
}

TEST_P(LauncherTender, AGuestThatIsKilledByTheKernelIsALimit) {
  const std::string id = start_dns();
  kill_guest(id, SIGKILL);
  EXPECT_EQ(reason(wait_exit(launcher_, id)).code, Code::killed_by_limit);
}

TEST_P(LauncherTender, AFaultIsToldWithItsRegistersFromTheJail) {
  const std::string file =
      build_folder() + "/images/tender/guest0.x86_64." + (hvt() ? "hvt" : "spt");
  agent::Fd image(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(image) << file;
  agent::StartRequest request = monitors::tender_request(GetParam(), std::move(image), 4);
  request.arguments.push_back("@10");
  // hvt: some CPUs forget all at a triple fault, which a null pointer is without a handler.
  const char* words[] = {"touch", "null", "call", "9", "1048576"};
  request.arguments.insert(request.arguments.end(), words + (hvt() ? 2 : 0),
                           words + (hvt() ? 5 : 2));
  const std::string id = start(std::move(request));
  EXPECT_EQ(reason(wait_exit(launcher_, id)).code, Code::guest_abort);
  const std::string report = launcher_.read_report(id).value();
  EXPECT_NE(report.find("\"trap\":{\"kind\":"), std::string::npos) << report;
  EXPECT_NE(report.find("\"pc\":\"0x10"), std::string::npos) << report;
}

// No such signal reaches hvt's process, the first of its namespace.
class LauncherSpt : public LauncherTender {};

TEST_P(LauncherSpt, AGuestThatFaultsIsAnAbort) {
  const std::string id = start_dns();
  kill_guest(id, SIGSEGV);
  const monitors::ExitReason why = reason(wait_exit(launcher_, id));
  EXPECT_EQ(why.code, Code::guest_abort);
  EXPECT_NE(why.what.find("signal 11"), std::string::npos) << why.what;
}

// As many as the table holds; so few of them that a page would do are no test of pages.
TEST_P(LauncherSpt, AFullTableIsListedInPagesAndItsLimitIsNamed) {
  constexpr std::uint32_t kAddresses = 250;
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < kAddresses; ++i) ids.push_back(start_dns(Ipv4{kGuest.value + i}));
  for (std::uint32_t i = 0; ids.size() < proto::kMaxInstances; ++i) {
    // An ended one is in the table until it is forgotten; its address is free at once.
    ASSERT_TRUE(launcher_.stop(ids[i], 0).has_value());
    wait_exit(launcher_, ids[i]);
    ids.push_back(start_dns(Ipv4{kGuest.value + i}));
    ASSERT_FALSE(HasFailure());
  }
  const auto listed = launcher_.list();
  ASSERT_TRUE(listed.has_value());
  std::set<std::string> seen;
  for (const agent::Instance& one : *listed) seen.insert(one.id);
  EXPECT_EQ(listed->size(), proto::kMaxInstances);
  EXPECT_EQ(seen, std::set<std::string>(ids.begin(), ids.end()));
  auto one_more = monitor_.command(dns_launch(new_id(), Ipv4{0x0ad54dfe}, "192.0.2.10",
                                              monitors::Boot::spt));
  ASSERT_TRUE(one_more.has_value());
  const auto refused = launcher_.start(std::move(*one_more));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::no_space);
  EXPECT_NE(refused.error().what.find("256 instances are there"), std::string::npos);
}

TEST_P(LauncherTender, AnImageThatIsNoneIsTheMonitorsFault) {
  auto file = monitors::memory_file("image", std::string(200, 'x'));
  ASSERT_TRUE(file.has_value());
  agent::StartRequest request =
      monitors::tender_request(GetParam(), std::move(*file), 4);
  request.arguments.push_back("@10");
  const std::string id = start(std::move(request));
  const monitors::ExitReason why = reason(wait_exit(launcher_, id));
  EXPECT_EQ(why.code, Code::monitor_fault);
  EXPECT_NE(why.what.find("not an ELF file"), std::string::npos) << why.what;
}

/// fleet-spt where no process may trace another, as in some containers. Its report and status.
struct Untraced {
  std::string report;
  int status = 0;
};
Untraced run_untraced(const std::vector<std::string>& words) {
  int report[2];
  EXPECT_EQ(::pipe(report), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(report[1], 3);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0) != 0 ||
        seccomp_load(filter) != 0) {
      ::_exit(99);
    }
    std::vector<std::string> all = {build_folder() + "/bin/fleet-spt", "--mem=4",
                                    "--exit-report=@3",
                                    build_folder() + "/images/tender/guest0.x86_64.spt"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(98);
  }
  ::close(report[1]);
  Untraced ended;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(report[0], buffer, sizeof buffer)) > 0;) {
    ended.report.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(report[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  ended.status = WEXITSTATUS(status);
  return ended;
}

TEST(TenderUntraced, LosesOnlyTheRegisters) {
  const struct {
    std::vector<std::string> words;
    int status;
    const char* says;
  } cases[] = {{{"touch", "null"}, 139, "\"reason\":\"guest_abort\",\"status\":0,\"signal\":11"},
               {{"call", "1000"}, 159, "a system call that it must not make"},
               {{"exit", "7"}, 7, "\"reason\":\"guest_exit\",\"status\":7"},
               {{"exit", "255"}, 255, "\"reason\":\"guest_abort\""}};
  for (const auto& one : cases) {
    const Untraced ended = run_untraced(one.words);
    EXPECT_EQ(ended.status, one.status) << one.words[0];
    EXPECT_NE(ended.report.find(one.says), std::string::npos) << ended.report;
    EXPECT_EQ(ended.report.find("trap"), std::string::npos) << ended.report;
  }
}

std::vector<monitors::Target> targets() {
  std::vector<monitors::Target> all = {monitors::Target::spt};
  if (::access("/dev/kvm", R_OK | W_OK) == 0) all.push_back(monitors::Target::hvt);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Faults, LauncherSpt, ::testing::Values(monitors::Target::spt));
INSTANTIATE_TEST_SUITE_P(Each, LauncherTender, ::testing::ValuesIn(targets()),
                         [](const auto& one) {
                           return one.param == monitors::Target::spt ? "spt" : "hvt";
                         });

}  // namespace
}  // namespace e2e
