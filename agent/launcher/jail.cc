// The jail's order matters: first what needs root (mounts), then the user, then no new rights, last
// the filter. Each step's name is what an operator reads when it fails.
#include "agent/launcher/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/launcher/fd.h"
#include "agent/launcher/messages.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;

constexpr int kReportFd = 200;  // to the parent: which step failed; closed by exec
constexpr int kGoFd = 201;      // from the parent: start, and its end when the parent dies
constexpr int kProgramFd = 202;  // a bare jail's root holds no file to name
constexpr int kScratchFd = 210;

struct Report {
  char step[60];
  int error;
};

struct Pipe {
  Fd read;
  Fd write;
};

proto::Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return Error{Code::start_failed, std::string("pipe: ") + std::strerror(errno), ""};
  }
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

const char* set_limit(__rlimit_resource what, rlim_t value, const char* name) {
  const rlimit limit{value, value};
  return ::setrlimit(what, &limit) == 0 ? nullptr : name;
}

const char* set_limits(const JailSpec& spec) {
  const std::array<const char*, 5> results = {
      set_limit(RLIMIT_CORE, 0, "limit of core files"),
      set_limit(RLIMIT_NOFILE, 256, "limit of files"),
      set_limit(RLIMIT_NPROC, 64, "limit of threads"),
      set_limit(RLIMIT_FSIZE, spec.file_size_max, "limit of file size"),
      set_limit(RLIMIT_MEMLOCK, 64 * 1024, "limit of locked memory"),
  };
  for (const char* failed : results) {
    if (failed != nullptr) return failed;
  }
  if (spec.cgroup.empty()) ::setpriority(PRIO_PROCESS, 0, 5);  // the agent goes first
  // A guest is killed before the agent when the host runs out of memory.
  const Fd score(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (score && ::write(score.get(), "500", 3) != 3) return "out-of-memory score";
  return nullptr;
}

/// The last thing before exec: it is meant for the monitor, not for what is mapped here.
const char* set_memory_limit(const JailSpec& spec) {
  constexpr rlim_t kMib = 1024 * 1024;
  if (!spec.limit_memory) return nullptr;
  const rlim_t space = (rlim_t{spec.memory_max_mib} + kAddressSpaceExtraMib) * kMib;
  return set_limit(RLIMIT_AS, space, "limit of memory");
}

/// Leaves exactly 0, 1, 2, what the spec names, and our two pipes and program. First of all steps:
/// the launcher's own descriptors may have any number.
const char* place_descriptors(const JailSpec& spec, int report_fd, int go_fd) {
  struct Move {
    int from;
    int to;
  };
  std::vector<Move> moves = {{::open("/dev/null", O_RDONLY), 0},
                             {spec.console, 1},
                             {spec.console, 2}};
  if (moves[0].from < 0) return "/dev/null";
  if (spec.bare && spec.kvm) {
    moves.push_back({::open("/dev/kvm", O_RDWR), kKvmFd});
    if (moves.back().from < 0) return "/dev/kvm";
  }
  if (spec.exit_report >= 0) moves.push_back({spec.exit_report, kExitReportFd});
  for (std::size_t i = 0; i < spec.files.size(); ++i) {
    moves.push_back({spec.files[i], kFileFdBase + static_cast<int>(i)});
  }
  for (std::size_t i = 0; i < spec.taps.size(); ++i) {
    moves.push_back({spec.taps[i], kTapFdBase + static_cast<int>(i)});
  }
  moves.push_back({report_fd, kReportFd});
  moves.push_back({go_fd, kGoFd});
  if (spec.bare) {
    moves.push_back({::open(spec.program.c_str(), O_PATH), kProgramFd});
    if (moves.back().from < 0) return "program";
  }
  // First out of the way of each other, then to their places.
  for (Move& move : moves) {
    move.from = ::fcntl(move.from, F_DUPFD, kScratchFd);
    if (move.from < 0) return "descriptors";
  }
  unsigned first_unused = 0;
  for (const Move& move : moves) {
    if (::dup2(move.from, move.to) != move.to) return "descriptors";
    if (move.to >= kReportFd) ::fcntl(move.to, F_SETFD, FD_CLOEXEC);
    const auto place = static_cast<unsigned>(move.to);
    if (place > first_unused && ::close_range(first_unused, place - 1, 0) != 0) {
      return "closing descriptors";
    }
    first_unused = place + 1;
  }
  return ::close_range(first_unused, ~0U, 0) == 0 ? nullptr : "closing descriptors";
}

const char* drop_rights(const JailSpec& spec) {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return "bounding set";
  }
  if (::setgroups(0, nullptr) != 0) return "groups";
  if (::setresgid(spec.uid, spec.uid, spec.uid) != 0) return "group";
  if (::setresuid(spec.uid, spec.uid, spec.uid) != 0) return "user";
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return "capabilities";
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return "capabilities";
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no new privileges";
  return nullptr;
}

/// False once the launcher has died: PDEATHSIG says nothing about a parent that is dead already.
bool parent_lives() {
  pollfd go{kGoFd, POLLIN, 0};
  return ::poll(&go, 1, 0) >= 0 && (go.revents & POLLHUP) == 0;
}

/// Waits for the parent's word; false if it died instead.
bool wait_for_go() {
  char word = 0;
  return ::read(kGoFd, &word, 1) == 1;
}

/// A tender is the first process of its namespace, which loses an order to stop that comes before
/// it listens. Blocked, the order waits; the tenders take it from a descriptor or by waiting.
void reset_signals(const JailSpec& spec) {
  for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);  // a console whose reader died must not kill before PDEATHSIG does
  sigset_t blocked;
  ::sigemptyset(&blocked);
  if (spec.bare) ::sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

/// Everything up to exec. Returns the step that failed, with errno.
const char* run_jailed(const JailSpec& spec) {
  if (!wait_for_go()) return "parent";
  reset_signals(spec);
  if (::setsid() < 0) return "session";
  if (const char* failed = set_limits(spec)) return failed;
  if (const char* failed = enter_root(spec)) return failed;
  // A service manager may forbid it (ProtectHostname); nothing depends on it.
  if (::sethostname("guest", 5) != 0 && errno != EPERM) return "host name";
  if (const char* failed = drop_rights(spec)) return failed;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // again: a change of user clears it
  if (!parent_lives()) return "parent";
  std::vector<char*> arguments = {const_cast<char*>(spec.program.c_str())};
  for (const std::string& text : spec.arguments) {
    arguments.push_back(const_cast<char*>(text.c_str()));
  }
  arguments.push_back(nullptr);
  // One malloc arena: each further one reserves 64 MiB of the address space that is limited.
  const char* environment[] = {"PATH=/usr/bin", "LANG=C", "HOME=/", "MALLOC_ARENA_MAX=1", nullptr};
  if (const char* failed = apply_filter(spec)) return failed;
  if (const char* failed = set_memory_limit(spec)) return failed;
  if (spec.bare) {
    ::syscall(SYS_execveat, kProgramFd, "", arguments.data(), environment, AT_EMPTY_PATH);
  } else {
    ::execve(spec.program.c_str(), arguments.data(), const_cast<char**>(environment));
  }
  return "exec";
}

[[noreturn]] void child(const JailSpec& spec, int report_fd, int go_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  Report report{};
  const char* step = place_descriptors(spec, report_fd, go_fd);
  if (step == nullptr) {
    report_fd = kReportFd;
    step = run_jailed(spec);
  }
  report.error = errno;
  std::strncpy(report.step, step, sizeof report.step - 1);
  [[maybe_unused]] const ssize_t told = ::write(report_fd, &report, sizeof report);
  ::_exit(125);
}

proto::Status join_cgroup(const std::string& folder, pid_t pid) {
  if (folder.empty()) return {};
  const std::string path = folder + "/cgroup.procs";
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(pid);
  if (!fd || ::write(fd.get(), text.data(), text.size()) < 0) {
    return Error{Code::start_failed, "joining " + folder + ": " + std::strerror(errno), ""};
  }
  return {};
}

/// Reads until exec closes the pipe (nothing) or a report comes.
proto::Status read_report(int fd) {
  pollfd ready{fd, POLLIN, 0};
  if (::poll(&ready, 1, 5000) <= 0) {
    return Error{Code::start_failed, "jail: not ready after 5 s", ""};
  }
  Report report{};
  const ssize_t got = ::read(fd, &report, sizeof report);
  if (got == 0) return {};
  if (got != static_cast<ssize_t>(sizeof report)) {
    return Error{Code::start_failed, "jail: the process died while starting", ""};
  }
  report.step[sizeof report.step - 1] = '\0';
  return Error{Code::start_failed,
               std::string("jail: ") + report.step + ": " + std::strerror(report.error), ""};
}

}  // namespace

proto::Result<pid_t> start_in_jail(const JailSpec& spec) {
  FLEET_ASSERT(spec.uid != 0 && spec.console >= 0);
  TRY(Pipe report, make_pipe());
  TRY(Pipe go, make_pipe());
  constexpr unsigned long kFlags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                   CLONE_NEWNET | CLONE_NEWCGROUP | SIGCHLD;
  const long pid = ::syscall(SYS_clone, kFlags, nullptr, nullptr, nullptr, 0UL);
  if (pid < 0) {
    return Error{Code::start_failed, std::string("jail: namespaces: ") + std::strerror(errno), ""};
  }
  if (pid == 0) {
    go.write.reset();  // so that the child sees the parent's end
    child(spec, report.write.get(), go.read.get());
  }
  report.write.reset();
  go.read.reset();
  proto::Status started = join_cgroup(spec.cgroup, static_cast<pid_t>(pid));
  if (started) {
    [[maybe_unused]] const ssize_t told = ::write(go.write.get(), "g", 1);
    started = read_report(report.read.get());
  }
  if (!started) {
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
    return started.error();
  }
  return static_cast<pid_t>(pid);
}

}  // namespace launcher
