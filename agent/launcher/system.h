// Small doors to the kernel that several files of the launcher use: clocks, small files, processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "proto/result.h"

namespace launcher {

/// Milliseconds of CLOCK_BOOTTIME.
std::uint64_t now_ms();
/// A small file of /proc, /sys or our own, at most 64 KiB. Errors: io, not_found.
proto::Result<std::string> read_small_file(const std::string& path);
/// Writes in place (for /proc and /sys). Errors: io.
proto::Status write_small_file(const std::string& path, const std::string& text);
/// Writes a new file and renames it over the old one; folder entries are ours, so no fsync: these
/// files live on tmpfs and mean nothing after a boot.
proto::Status replace_file(const std::string& path, const std::string& text);

struct ProcessUse {
  std::uint64_t cpu_ms = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t start_ticks = 0;  // with the pid, names a process for ever (of this boot)
};
/// From /proc/PID/stat; nothing if there is no such process.
std::optional<ProcessUse> process_use(pid_t pid);

/// Tells the service manager that started us ("READY=1", "STOPPING=1"), if one did.
void notify_manager(const std::string& state);

/// One line on stderr, in the product's log form. Values come from us, never from a guest.
void log_line(const char* level, const char* event, const std::string& fields);

}  // namespace launcher
