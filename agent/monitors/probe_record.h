// What the probe saw, kept from one start of the agent to the next, so that only the first of a
// boot pays for it. Never taken for another boot, another start of the launcher or another agent,
// nor when a program or /dev/kvm came or went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/monitors/probe.h"
#include "ota/disk.h"

namespace monitors {

/// While these are the same, so is what the probe would see.
struct ProbeTime {
  std::string boot_id;
  std::uint64_t launcher_start_ms = 0;   // LauncherInfo::boot_ms: its conf may be another after it
  std::string agent_version;
  std::string host_has;                  // of /dev/kvm and the monitors' programs: "kvm qemu spt"
  bool operator==(const ProbeTime&) const = default;
};

/// What the launcher says that it can start.
std::string host_has(const agent::LauncherInfo& info);

inline constexpr char kProbeRecord[] = "monitors.json";

/// Nothing where there is no record of this time, or what is there is no record.
std::optional<std::vector<ProbeResult>> read_probe_record(ota::Disk& disk, const ProbeTime& time);
/// errors no_space | io
proto::Status write_probe_record(ota::Disk& disk, const ProbeTime& time,
                                 const std::vector<ProbeResult>& results);

}  // namespace monitors
