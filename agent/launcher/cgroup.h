// cgroup v2 for instances, where the host has it and it is ours to divide. Nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/launcher/system.h"
#include "proto/result.h"

namespace launcher {

class Cgroups {
 public:
  /// Takes the launcher's own delegated group: moves the launcher into a leaf and hands memory, cpu
  /// and pids down. Where that is not possible available() stays false and reason() says why.
  void open(const std::string& mount_point = "/sys/fs/cgroup");
  bool available() const { return !base_.empty(); }
  const std::string& reason() const { return reason_; }

  struct Limits {
    std::uint32_t memory_mib;
    std::uint32_t cpu_percent;  // 0 = none
  };
  /// The folder of a new group for a slot. Errors: start_failed; nothing is left.
  proto::Result<std::string> make(std::uint32_t slot, const Limits& limits);
  /// What the group has used, processes that are gone included; nothing without groups.
  std::optional<ProcessUse> use(std::uint32_t slot) const;
  /// True if the kernel killed something in the group for memory.
  bool out_of_memory(std::uint32_t slot) const;
  void remove(std::uint32_t slot);
  /// Removes groups that a killed launcher left.
  void remove_all();

 private:
  std::string folder(std::uint32_t slot) const { return base_ + "/i" + std::to_string(slot); }
  std::string base_;
  std::string reason_;
};

}  // namespace launcher
