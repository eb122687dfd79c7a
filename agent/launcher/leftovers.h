// What a launcher that was killed left behind, and how the next one finds it: a small folder on
// tmpfs with the processes started, and what the host's settings were before.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "agent/launcher/fd.h"
#include "proto/result.h"

namespace launcher {

class Leftovers {
 public:
  /// Makes the folder (0700, root) and locks it. Errors: conflict if another launcher has it.
  proto::Status open(const std::string& folder);
  /// Kills recorded processes that still live (their guests die with them) and waits for their end.
  void kill_processes();
  struct Process {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;  // since boot: another process of that pid has others
  };
  /// Records the processes that run now.
  proto::Status record_processes(const std::vector<Process>& running);

  /// Changes a kernel setting and remembers what it was before the first launcher came. No note
  /// is made when it has the value already. Errors: io, not_found.
  proto::Status change_setting(const std::string& path, const std::string& value);
  /// What it was before the first launcher came; what it is, if none changed it.
  proto::Result<std::string> setting_before(const std::string& path) const;
  /// Puts every remembered setting back.
  void restore_settings();
  /// An empty folder for the jails' roots to be mounted on, in each one's own namespace.
  std::string jail_root() const { return folder_ + "/root"; }
  void remove();

 private:
  std::map<std::string, std::string> noted_settings() const;

  std::string folder_;
  Fd lock_;
};

}  // namespace launcher
