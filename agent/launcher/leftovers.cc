// The launcher's few notes to its next self.
#include "agent/launcher/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "agent/launcher/system.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;

bool lives(pid_t pid, std::uint64_t start_ticks) {
  const auto use = process_use(pid);
  return use && use->start_ticks == start_ticks;
}

proto::Result<std::string> read_setting(const std::string& path) {
  TRY(std::string value, read_small_file(path));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

}  // namespace

proto::Status Leftovers::open(const std::string& folder) {
  folder_ = folder;
  for (const std::string& path : {folder_, jail_root()}) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return Error{Code::io, path + ": " + std::strerror(errno), ""};
    }
  }
  lock_ = Fd(::open((folder_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_) return Error{Code::io, folder_ + "/lock: " + std::strerror(errno), ""};
  // A killed launcher's children hold no descriptor of it, so its lock is gone with it.
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{Code::conflict, "another launcher runs with " + folder_, ""};
  }
  return {};
}

void Leftovers::kill_processes() {
  const auto text = read_small_file(folder_ + "/processes");
  if (!text) return;
  std::istringstream lines(*text);
  pid_t pid = 0;
  std::uint64_t ticks = 0;
  while (lines >> pid >> ticks) {
    if (pid <= 1 || !lives(pid, ticks)) continue;
    ::kill(pid, SIGKILL);
    for (int tries = 0; tries < 200 && lives(pid, ticks); ++tries) ::usleep(10000);
  }
  ::unlink((folder_ + "/processes").c_str());
}

proto::Status Leftovers::record_processes(const std::vector<Process>& running) {
  std::string text;
  for (const Process& one : running) {
    text += std::to_string(one.pid) + " " + std::to_string(one.start_ticks) + "\n";
  }
  return replace_file(folder_ + "/processes", text);
}

std::map<std::string, std::string> Leftovers::noted_settings() const {
  std::map<std::string, std::string> noted;
  const auto text = read_small_file(folder_ + "/settings");
  std::istringstream lines(text ? *text : "");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t blank = line.find(' ');
    if (blank != std::string::npos) noted[line.substr(0, blank)] = line.substr(blank + 1);
  }
  return noted;
}

proto::Result<std::string> Leftovers::setting_before(const std::string& path) const {
  const auto noted = noted_settings();
  if (const auto known = noted.find(path); known != noted.end()) return known->second;
  return read_setting(path);
}

proto::Status Leftovers::change_setting(const std::string& path, const std::string& value) {
  TRY(const std::string before, read_setting(path));
  if (before == value) return {};
  auto noted = noted_settings();
  noted.emplace(path, before);  // an older note knows better what was there before us
  std::string text;
  for (const auto& [each, was] : noted) text += each + " " + was + "\n";
  TRY_VOID(replace_file(folder_ + "/settings", text));
  return write_small_file(path, value);
}

void Leftovers::restore_settings() {
  for (const auto& [path, value] : noted_settings()) {
    if (const auto done = write_small_file(path, value); !done) {
      log_line("error", "setting.kept", "why=\"" + done.error().what + "\"");
    }
  }
  ::unlink((folder_ + "/settings").c_str());
}

void Leftovers::remove() {
  for (const char* name : {"/processes", "/settings", "/lock"}) {
    ::unlink((folder_ + name).c_str());
  }
  ::rmdir(jail_root().c_str());
  ::rmdir(folder_.c_str());
}

}  // namespace launcher
