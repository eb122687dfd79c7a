// This machine as the agent sees it: what it has, what runs on it, which monitors really work.
// It reads /proc and /sys and asks the launcher for the probe; it changes nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/ports.h"

namespace agent {

struct MachineOptions {
  std::string board_file;       // "" = ARCH-generic
  std::string launcher_socket;  // for the probe, on a connection of its own
  ota::Disk* disk = nullptr;    // where what the probe saw is kept; outlives the machine
};

/// errors bad_argument (a board file that cannot be read), by name
proto::Result<std::unique_ptr<Machine>> make_machine(MachineOptions options);

/// The value of "MemAvailable:" in /proc/meminfo's text, bytes. errors bad_argument
proto::Result<std::uint64_t> parse_meminfo(std::string_view text, std::string_view key);

}  // namespace agent
