// Figures of fleet-spt beside QEMU, and beside Solo5's own tender where PATH has it:
// how fast a guest starts, ends and answers, and what it costs. One run is one comparison; a line
// of JSON per row goes to stdout, a table to stderr. Needs root. tender_bench [REPEATS]
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "agent/monitors/qemu.h"
#include "agent/monitors/tender.h"
#include "tests/e2e/launcher_world.h"

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

constexpr agent::Ipv4 kGuest{0x0ad54d02};  // 10.213.77.2
constexpr int kManyGuests = 100;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// A row: ours, the peer's, and how many times the peer's ours is.
void show(const char* what, const char* unit, double ours, const char* peer, double theirs) {
  const double ratio = theirs > 0 ? ours / theirs : 0;
  std::printf("{\"row\":\"%s\",\"unit\":\"%s\",\"fleet-spt\":%.3f", what, unit, ours);
  if (theirs > 0) {
    std::printf(",\"peer\":\"%s\",\"theirs\":%.3f,\"ratio\":%.3f", peer, theirs, ratio);
  }
  std::printf("}\n");
  std::fflush(stdout);
  std::fprintf(stderr, "%-44s %10.3f %-3s", what, ours, unit);
  if (theirs > 0) std::fprintf(stderr, "  %s %.3f  (%.3f of it)", peer, theirs, ratio);
  std::fprintf(stderr, "\n");
}

struct Process {
  pid_t pid = 0;
  int console = -1;
};

Process spawn(const Words& words) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  ::posix_spawn_file_actions_addclose(&actions, ends[0]);
  ::posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  Process made;
  const int failed = ::posix_spawnp(&made.pid, arguments[0], &actions, nullptr, arguments.data(),
                                    environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  made.console = ends[0];
  if (failed != 0) made.pid = 0;
  return made;
}

// Until the first console byte; false: it ended without one.
bool wait_for_word(const Process& process) {
  char byte = 0;
  return ::read(process.console, &byte, 1) == 1;
}

int wait_for_end(Process& process) {
  int status = 0;
  ::waitpid(process.pid, &status, 0);
  ::close(process.console);
  return status;
}

struct Hello {
  double word_ms = 0;
  double end_ms = 0;
};

// Start to the first console byte, and to the end, of a guest that says a word.
Hello time_hello(const Words& command, int repeats) {
  std::vector<double> word;
  std::vector<double> end;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = Clock::now();
    Process process = spawn(command);
    if (process.pid == 0 || !wait_for_word(process)) return {};
    word.push_back(ms_since(begin));
    if (wait_for_end(process) != 0) return {};
    end.push_back(ms_since(begin));
  }
  return {median(word), median(end)};
}

// Start by the launcher, all of its jail included, to the first DNS answer.
double time_answer(agent::SocketLauncher& launcher, const monitors::Monitor& monitor,
                   monitors::Boot boot, int repeats) {
  std::vector<double> times;
  const agent::Fd socket = e2e::client_socket(0);
  for (int i = 0; i < repeats; ++i) {
    const std::string id = e2e::new_id();
    auto request = monitor.command(e2e::dns_launch(id, kGuest, "192.0.2.10", boot));
    if (!request) std::abort();
    const auto begin = Clock::now();
    if (const auto started = launcher.start(std::move(*request)); !started) {
      std::fprintf(stderr, "%s\n", started.error().what.c_str());
      std::abort();
    }
    while (e2e::ask(socket, e2e::kDeviceAddress, 53, 2).empty()) {
      if (ms_since(begin) > 20'000) std::abort();
    }
    times.push_back(ms_since(begin));
    if (!launcher.stop(id, 0)) std::abort();
    e2e::wait_exit(launcher, id);
    if (!launcher.remove(id)) std::abort();
  }
  return median(times);
}

// KiB of private memory that are not the guest's own (which lies below `guest_end`).
double private_beyond(pid_t pid, std::uint64_t guest_end) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/smaps");
  std::string line;
  bool own = false;
  double kib = 0;
  while (std::getline(maps, line)) {
    unsigned long long from = 0;
    unsigned long long to = 0;
    double size = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx ", &from, &to) == 2) own = to <= guest_end;
    if (std::sscanf(line.c_str(), "Private_%*[A-Za-z]: %lf kB", &size) == 1 && !own) kib += size;
  }
  return kib;
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string number = std::to_string(pid);
  std::ifstream list("/proc/" + number + "/task/" + number + "/children");
  std::vector<pid_t> out;
  for (pid_t child = 0; list >> child;) out.push_back(child);
  return out;
}

// Many guests that say a word and sleep: started one after the other, all heard, then counted.
void measure_many(const Words& command, std::uint64_t memory_bytes) {
  std::vector<Process> guests;
  const auto begin = Clock::now();
  for (int i = 0; i < kManyGuests; ++i) guests.push_back(spawn(command));
  for (const Process& guest : guests) {
    if (guest.pid == 0 || !wait_for_word(guest)) std::abort();
  }
  const double all_ms = ms_since(begin);
  double kib = 0;
  for (const Process& guest : guests) {
    kib += private_beyond(guest.pid, memory_bytes);
    for (const pid_t child : children_of(guest.pid)) kib += private_beyond(child, memory_bytes);
  }
  for (Process& guest : guests) {
    ::kill(guest.pid, SIGTERM);
    wait_for_end(guest);
  }
  show("100 guests of 4 MiB, started and heard", "ms", all_ms, "", 0);
  show("private memory beyond the guest's own", "KiB", kib / kManyGuests, "", 0);
}

bool in_path(const char* program) {
  return e2e::run({"sh", "-c", std::string("command -v ") + program + " >/dev/null"}) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Where the tenders' exit reports go.
  if (std::freopen("/dev/null", "r+", stdin) == nullptr) std::abort();
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 30;
  const std::string build = FLEET_BINARY_DIR;
  const std::string guest = build + "/images/tender/guest0.x86_64.spt";
  const std::string spt = build + "/bin/fleet-spt";
  e2e::enter_namespaces();

  const Hello ours = time_hello({spt, "--mem=4", guest, "hello"}, repeats);
  // As the agent starts it: with the process that reports.
  const Hello told = time_hello({spt, "--mem=4", "--exit-report=@0", guest, "hello"}, repeats);
  const Hello echo = time_hello({"/bin/echo", "hello"}, repeats);
  const bool upstream = in_path("solo5-spt");
  const Hello theirs =
      upstream ? time_hello({"solo5-spt", "--mem=4", guest, "hello"}, repeats) : Hello{};
  if (!upstream) std::fprintf(stderr, "solo5-spt is not in PATH: no row of it\n");
  show("hello, start to first console byte", "ms", ours.word_ms, "solo5-spt", theirs.word_ms);
  show("hello, start to exit", "ms", ours.end_ms, "solo5-spt", theirs.end_ms);
  show("hello, start to exit, with exit report", "ms", told.end_ms, "/bin/echo", echo.end_ms);

  e2e::LauncherProcess process;
  if (!process.start()) std::abort();
  agent::SocketLauncher launcher(process.socket());
  if (!launcher.publish({{{}, agent::Protocol::udp, 53, kGuest, 53}})) std::abort();
  const monitors::TenderMonitor tender(monitors::Target::spt);
  const monitors::QemuMonitor qemu(monitors::Accelerator::tcg);
  const int answers = std::max(1, repeats / 3);
  const double by_spt = time_answer(launcher, tender, monitors::Boot::spt, answers);
  const double by_qemu = time_answer(launcher, qemu, monitors::Boot::pvh, answers);
  show("dns in its jail, start to first answer", "ms", by_spt, "qemu/tcg", by_qemu);

  measure_many({spt, "--mem=4", "--exit-report=@0", guest, "ready"}, 4 << 20);
  return 0;
}
