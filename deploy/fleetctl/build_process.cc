#include "deploy/fleetctl/build_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>

#include "deploy/fleetctl/text.h"
#include "ota/disk.h"
#include "proto/fd.h"

namespace fleetctl {
namespace {

using proto::Code;

constexpr std::size_t kMaxSaidBytes = 1024 * 1024;

/// One that runs: what it says goes to a file in memory.
struct Running {
  std::size_t index = 0;
  proto::Fd said;
};

proto::Result<pid_t> spawn(const Command& command, const proto::Fd& said) {
  std::vector<char*> arguments;
  for (const std::string& word : command.words) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // posix_spawn changes none
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, said.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, said.get(), STDERR_FILENO);
  pid_t process_id = -1;
  const int failed = ::posix_spawn(&process_id, arguments.front(), &actions, nullptr,
                                   arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == 0) return process_id;
  return proto::Error{Code::start_failed,
                      "cannot start " + command.words.front() + ": " + std::strerror(failed), {}};
}

std::string read_said(const proto::Fd& said) {
  const auto size = ota::size_of(said);
  if (!size) return "";
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(*size, kMaxSaidBytes)), '\0');
  const ssize_t got = ::pread(said.get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  // Nobody runs on behind an error.
  ~Pool() {
    for (const auto& [process_id, running] : running_) ::kill(process_id, SIGKILL);
    while (!running_.empty()) {
      ::waitpid(running_.begin()->first, nullptr, 0);
      running_.erase(running_.begin());
    }
  }

  std::size_t size() const { return running_.size(); }

  proto::Status start(const Command& command, std::size_t index) {
    proto::Fd said(::memfd_create("said", MFD_CLOEXEC));
    if (!said) return ota::errno_error("cannot hold what a compiler says", errno);
    TRY(const pid_t process_id, spawn(command, said));
    running_.emplace(process_id, Running{index, std::move(said)});
    return {};
  }

  /// Waits for one of them; fleetctl has no other children. False: it failed.
  bool wait(std::vector<Finished>& finished) {
    int status = 0;
    const auto ended = running_.find(::waitpid(-1, &status, 0));
    if (ended == running_.end()) return true;  // a signal: the caller looks
    Finished& one = finished[ended->second.index];
    one = {WIFEXITED(status) && WEXITSTATUS(status) == 0, read_said(ended->second.said)};
    running_.erase(ended);
    return one.good;
  }

 private:
  std::map<pid_t, Running> running_;
};

}  // namespace

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::string whole = folder + "/" + name;
    if (!folder.empty() && ::access(whole.c_str(), X_OK) == 0) return whole;
  }
  return "";
}

proto::Result<std::vector<Finished>> run_commands(
    const std::vector<Command>& commands, const std::atomic<bool>& interrupted,
    const std::function<void(const Command&, std::size_t)>& on_start) {
  const std::size_t at_once = std::max(1U, std::thread::hardware_concurrency());
  std::vector<Finished> finished(commands.size());
  Pool pool;
  std::size_t begun = 0;
  bool going_on = true;
  while (pool.size() > 0 || (begun < commands.size() && going_on)) {
    if (interrupted.load()) return proto::Error{Code::cancelled, "interrupted", {}};
    if (begun < commands.size() && going_on && pool.size() < at_once) {
      on_start(commands[begun], begun);
      TRY_VOID(pool.start(commands[begun], begun));
      ++begun;
      continue;
    }
    going_on = pool.wait(finished) && going_on;
  }
  finished.resize(begun);
  return finished;
}

}  // namespace fleetctl
