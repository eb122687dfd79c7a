// Starts a monitor in a jail: own namespaces, an empty root, own user, no capability, a system call
// filter. Everything in the spec was checked before; this file trusts it and adds no right.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/result.h"

namespace launcher {

struct JailSpec {
  std::string program;                 // below /usr, unless bare
  bool bare = false;                   // a static program: empty root, KVM as kKvmFd
  bool traces = false;                 // it reads the registers of its own child (fleet-spt)
  std::vector<std::string> arguments;  // argv[1..]
  std::uint32_t uid = 0;               // also the gid; never 0
  std::uint32_t memory_max_mib = 0;    // address space gets kAddressSpaceExtraMib more
  bool limit_memory = true;            // by rlimit; false when a cgroup does it
  bool kvm = false;
  std::vector<int> files;              // appear from kFileFdBase on
  std::uint64_t file_size_max = 0;     // the largest volume's; no file is written beyond it
  std::vector<int> taps;               // and serial lines; appear from kTapFdBase on
  int console = -1;                    // stdout and stderr
  int exit_report = -1;                // appears as kExitReportFd; -1: none
  std::string root;                    // an empty folder of ours, the mount point
  std::string cgroup;                  // folder to join, or empty
};

/// Code, shared libraries, thread stacks and translation buffers that are mapped but not used.
inline constexpr std::uint32_t kAddressSpaceExtraMib = 1024;

/// Returns once the monitor's program runs. It dies with this process (PDEATHSIG).
/// errors start_failed naming the step and the kernel's words; then no process is left
/// after  the caller waits for the pid (SIGCHLD)
proto::Result<pid_t> start_in_jail(const JailSpec& spec);

/// The steps inside the new process, in jail_root.cc and jail_filter.cc. Return nullptr, or the
/// step that failed with errno set.
const char* enter_root(const JailSpec& spec);
const char* apply_filter(const JailSpec& spec);

}  // namespace launcher
