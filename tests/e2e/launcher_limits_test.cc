// Limits and account by cgroup v2, with guests that want more than they may have. Runs where the
// kernel has it to give: lab_launcher_test.sh boots such a machine.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <vector>

#include "agent/monitors/tender.h"
#include "proto/limits.h"
#include "tests/e2e/launcher_world.h"

namespace e2e {
namespace {

using monitors::Target;
using proto::Code;

constexpr char kMount[] = "/sys/fs/cgroup";
constexpr std::uint32_t kMonitorMib = 16;  // beyond the guest's own, in the tests without a squeeze

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  while (!all.empty() && all.back() == '\n') all.pop_back();
  return all;
}

/// "usage_usec 1234" in a file of such lines.
std::uint64_t number_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  for (std::uint64_t value = 0; file >> word >> value;) {
    if (word == key) return value;
  }
  ADD_FAILURE() << path << " has no " << key;
  return 0;
}

bool wait_until(const std::function<bool()>& holds) {
  for (int tries = 0; tries < 6000 && !holds(); ++tries) ::usleep(10'000);
  return holds();
}

class LauncherLimits : public ::testing::TestWithParam<Target> {
 protected:
  static std::string make_group() {
    std::ofstream(std::string(kMount) + "/cgroup.subtree_control") << "+memory +cpu +pids";
    const std::string group = std::string(kMount) + "/fleet-limits";
    ::mkdir(group.c_str(), 0755);
    return group;
  }
  void SetUp() override {
    enter_namespaces();
    ASSERT_TRUE(process_.start()) << process_.log();
    ASSERT_TRUE(launcher_.info()->cgroup) << process_.log();
  }
  void TearDown() override {
    if (HasFailure()) std::fputs(process_.log().c_str(), stderr);
    process_.end(SIGTERM);
    EXPECT_EQ(text_of(group_ + "/cgroup.events").find("populated 1"), std::string::npos);
    for (const auto& left : std::filesystem::directory_iterator(group_)) {
      // A group of an instance that is gone must be gone, too.
      if (!left.is_directory()) continue;
      EXPECT_EQ(left.path().filename(), "launcher");
    }
    ::rmdir((group_ + "/launcher").c_str());
    EXPECT_EQ(::rmdir(group_.c_str()), 0);
  }

  struct Guest {
    std::string words;
    std::uint64_t memory_mib = 8;
    std::uint32_t memory_max_mib = 8 + kMonitorMib;
    std::uint32_t cpu_percent = 0;
  };
  std::string start(const Guest& guest) {
    const char* build = std::getenv("FLEET_BUILD");
    const std::string image = std::string(build) + "/images/tender/guest0.x86_64." +
                              (GetParam() == Target::spt ? "spt" : "hvt");
    agent::Fd file(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(file) << image;
    auto request = monitors::tender_request(GetParam(), std::move(file), guest.memory_mib);
    request.arguments.insert(request.arguments.end(), {"--", "@10"});
    std::istringstream words(guest.words);
    for (std::string word; words >> word;) request.arguments.push_back(word);
    request.memory_max_mib = guest.memory_max_mib;
    request.cpu_percent = guest.cpu_percent;
    const std::string id = request.id = new_id();
    const auto started = launcher_.start(std::move(request));
    EXPECT_TRUE(started.has_value()) << started.error().what;
    return id;
  }
  /// The instance's own group, as the kernel says it.
  std::string group_of(const std::string& id) {
    const std::string said =
        text_of("/proc/" + std::to_string(find(launcher_, id).pid) + "/cgroup");
    EXPECT_EQ(said.rfind("0::/fleet-limits/i", 0), 0u) << said;
    return kMount + said.substr(3);
  }
  monitors::ExitReason reason(const agent::Instance& ended) {
    const auto report = launcher_.read_report(ended.id);
    EXPECT_TRUE(report.has_value()) << report.error().what;
    return monitors::TenderMonitor(GetParam()).classify_exit(ended, "", *report);
  }
  bool said(const std::string& id, const std::string& words) {
    const auto console = launcher_.read_console(id, 0);
    return console && console->bytes.find(words) != std::string::npos;
  }

  std::string group_ = make_group();
  LauncherProcess process_{LauncherOptions{"", 0, group_}};
  agent::SocketLauncher launcher_{process_.socket()};
};

TEST_P(LauncherLimits, EachInstanceHasAGroupWithItsLimits) {
  const std::string id = start({"sleep", 8, 24, 50});
  const std::string group = group_of(id);
  EXPECT_EQ(text_of(group + "/memory.max"), std::to_string(24 * proto::kMiB));
  EXPECT_EQ(text_of(group + "/memory.oom.group"), "1");
  EXPECT_EQ(text_of(group + "/cpu.max"), "50000 100000");
  EXPECT_EQ(text_of(group + "/pids.max"), "64");
  // Not the address space: that would count what is mapped and never used.
  EXPECT_NE(text_of("/proc/" + std::to_string(find(launcher_, id).pid) + "/limits")
                .find("Max address space         unlimited"),
            std::string::npos);
  ASSERT_TRUE(launcher_.stop(id, 0).has_value());
  wait_exit(launcher_, id);
  // Its network and its group go a little later, off the way of what takes over from it.
  EXPECT_TRUE(wait_until([&] { return !std::filesystem::exists(group); }))
      << "its group outlived it";
}

TEST_P(LauncherLimits, AGuestOverItsMemoryIsEndedAsKilledByLimit) {
  // 48 MiB of its own, of which it may use no more than half.
  const std::string id = start({"fill", 48, 24, 0});
  const agent::Instance ended = wait_exit(launcher_, id);
  ASSERT_EQ(ended.state, agent::InstanceState::exited);
  EXPECT_TRUE(ended.limit);
  EXPECT_EQ(reason(ended).code, Code::killed_by_limit) << reason(ended).what;
  EXPECT_FALSE(said(id, "filled"));
  EXPECT_GT(ended.cpu_ms, 0u) << "what it used was lost with it";
}

TEST_P(LauncherLimits, TheAccountIsTheKernels) {
  const std::string id = start({"fill", 48, 48 + kMonitorMib, 0});
  const std::string group = group_of(id);
  ASSERT_TRUE(wait_until([&] { return said(id, "filled"); }));
  const agent::Instance instance = find(launcher_, id);
  // All but the first MiB, and pools of its runtime that it never touches.
  EXPECT_GT(instance.rss_bytes, 46 * proto::kMiB);
  EXPECT_LE(instance.rss_bytes, (48 + kMonitorMib) * proto::kMiB);
  EXPECT_EQ(instance.rss_bytes / proto::kMiB,
            std::stoull(text_of(group + "/memory.current")) / proto::kMiB);
  EXPECT_EQ(instance.cpu_ms, number_in(group + "/cpu.stat", "usage_usec") / 1000);
}

TEST_P(LauncherLimits, ACpuLimitHoldsAndIsCounted) {
  constexpr std::uint32_t kPercent = 20;
  const std::string id = start({"spin", 8, 24, kPercent});
  const std::string stat = group_of(id) + "/cpu.stat";
  ASSERT_TRUE(wait_until([&] { return number_in(stat, "nr_throttled") >= 20; }));
  // Periods are 100 ms of wall time; how busy the machine is does not matter.
  const std::uint64_t periods = number_in(stat, "nr_periods") + 1;
  const std::uint64_t used_us = number_in(stat, "usage_usec");
  EXPECT_LE(used_us, (periods + 1) * 100'000 * kPercent / 100 * 5 / 4);
  EXPECT_GT(number_in(stat, "throttled_usec"), 0u);
}

TEST_P(LauncherLimits, MoreTasksThanAllowedAreRefused) {
  const std::string id = start({"ready"});
  const std::string group = group_of(id);
  ASSERT_TRUE(wait_until([&] { return said(id, "ready"); }));  // all its processes are there
  const std::string before = text_of(group + "/pids.current");
  // A monitor cannot fork; so somebody who can joins its group.
  const pid_t forker = ::fork();
  if (forker == 0) {
    std::ofstream(group + "/cgroup.procs") << 0 << std::flush;
    std::vector<pid_t> children;
    while (children.size() < 100) {
      const pid_t child = ::fork();
      if (child < 0) break;
      if (child > 0) {
        children.push_back(child);
        continue;
      }
      for (;;) ::pause();
    }
    for (const pid_t child : children) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    ::_exit(static_cast<int>(children.size()));
  }
  int status = 0;
  ::waitpid(forker, &status, 0);
  EXPECT_LT(WEXITSTATUS(status), 64);
  EXPECT_GT(WEXITSTATUS(status), 50);
  EXPECT_GT(number_in(group + "/pids.events", "max"), 0u);
  EXPECT_EQ(text_of(group + "/pids.current"), before);
}

TEST_P(LauncherLimits, AKilledLaunchersGroupsAreRemovedByTheNext) {
  const std::string group = group_of(start({"sleep"}));
  process_.end(SIGKILL);
  ASSERT_TRUE(std::filesystem::exists(group));
  // As a service manager does before it starts the next one there.
  std::ofstream(group_ + "/cgroup.subtree_control") << "-memory -cpu -pids";
  ASSERT_TRUE(process_.start()) << process_.log();
  EXPECT_TRUE(launcher_.info()->cgroup);
  EXPECT_FALSE(std::filesystem::exists(group));
}

INSTANTIATE_TEST_SUITE_P(Each, LauncherLimits, ::testing::Values(Target::spt, Target::hvt),
                         [](const auto& one) {
                           return one.param == Target::spt ? "spt" : "hvt";
                         });

}  // namespace
}  // namespace e2e
