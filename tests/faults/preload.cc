// The recorder for real programs, to be preloaded: it watches one directory and appends each
// durable call below it to a trace. Several processes may share both: what the program starts is
// recorded too, whatever environment it gets.
//   FLEET_FAULTS_ROOT   the directory          FLEET_FAULTS_TRACE  the file, outside of it
//   FLEET_FAULTS_PEER   the trace of another program, whose length goes into each record
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/faults/interpose.h"

namespace faults {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class Recorder final : public Watcher {
 public:
  Recorder() {
    const std::string trace = variable("FLEET_FAULTS_TRACE");
    trace_ = ::open(trace.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (trace_ < 0) std::abort();  // a recorder that records nothing shows nothing
  }

  void before() override {
    // Another process that shares the trace may be in a call of its own.
    while (::flock(trace_, LOCK_EX) != 0 && errno == EINTR) {
    }
    struct stat facts = {};
    peer_bytes_ = ::stat(peer_.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size)
                                                     : 0;
  }
  void made(Op op) override {
    op.peer_bytes = peer_bytes_;
    const std::string record = encode(op);
    const ssize_t wrote = ::write(trace_, record.data(), record.size());
    if (wrote != static_cast<ssize_t>(record.size())) std::abort();
    failed();
  }
  void failed() override { ::flock(trace_, LOCK_UN); }

 private:
  int trace_ = -1;
  std::string peer_ = variable("FLEET_FAULTS_PEER");
  std::uint64_t peer_bytes_ = 0;
};

__attribute__((constructor)) void begin() {
  const std::string root = variable("FLEET_FAULTS_ROOT");
  if (!root.empty()) watch(root, new Recorder);  // until the program ends
}

}  // namespace
}  // namespace faults

extern "C" int posix_spawn(pid_t* process_id, const char* path,
                           const posix_spawn_file_actions_t* actions,
                           const posix_spawnattr_t* attributes, char* const arguments[],
                           char* const environment[]) {
  using Spawn = int(pid_t*, const char*, const posix_spawn_file_actions_t*,
                    const posix_spawnattr_t*, char* const[], char* const[]);
  static auto* const real = reinterpret_cast<Spawn*>(::dlsym(RTLD_NEXT, "posix_spawn"));
  std::vector<std::string> ours;
  for (const char* name : {"LD_PRELOAD", "FLEET_FAULTS_ROOT", "FLEET_FAULTS_TRACE",
                           "FLEET_FAULTS_PEER"}) {
    ours.push_back(std::string(name) + "=" + faults::variable(name));
  }
  std::vector<char*> all;
  for (std::size_t i = 0; environment[i] != nullptr; ++i) all.push_back(environment[i]);
  for (std::string& one : ours) all.push_back(one.data());
  all.push_back(nullptr);
  return real(process_id, path, actions, attributes, arguments, all.data());
}
