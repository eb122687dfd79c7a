// cgroup v2: plain files.
#include "agent/launcher/cgroup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "proto/limits.h"

namespace launcher {
namespace {

using proto::Code;
using proto::Error;

constexpr std::uint32_t kCpuPeriodUs = 100000;
constexpr int kMaxTasks = 64;

bool make_folder(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

/// "0::/system.slice/fleet-launcher.service" -> the path; empty where v1 rules.
std::string own_group() {
  const auto text = read_small_file("/proc/self/cgroup");
  if (!text) return "";
  std::size_t at = text->rfind("0::/", 0) == 0 ? 0 : text->find("\n0::/");
  if (at == std::string::npos) return "";
  at = text->find('/', at);
  return text->substr(at, text->find('\n', at) - at);
}

}  // namespace

void Cgroups::open(const std::string& mount_point) {
  if (!read_small_file(mount_point + "/cgroup.controllers")) {
    reason_ = "the host has no cgroup v2 at " + mount_point;
    return;
  }
  const std::string group = own_group();
  if (group.empty() || group == "/") {
    reason_ = "the launcher runs in the root group, which is not its own to divide";
    return;
  }
  const std::string own = mount_point + group;
  // A group with processes may not hand controllers down (cgroup-v2: no internal processes).
  const std::string leaf = own + "/launcher";
  const bool divided = make_folder(leaf) && write_small_file(leaf + "/cgroup.procs", "0") &&
                       write_small_file(own + "/cgroup.subtree_control", "+memory +cpu +pids");
  if (!divided) {
    static_cast<void>(write_small_file(own + "/cgroup.procs", "0"));
    ::rmdir(leaf.c_str());
    reason_ = own + " is not delegated (Delegate=yes in the unit)";
    return;
  }
  base_ = own;
  remove_all();
}

proto::Result<std::string> Cgroups::make(std::uint32_t slot, const Limits& limits) {
  const std::string path = folder(slot);
  const std::string memory = std::to_string(std::uint64_t{limits.memory_mib} * proto::kMiB);
  const std::string cpu =
      limits.cpu_percent == 0 ? "max"
                              : std::to_string(limits.cpu_percent * (kCpuPeriodUs / 100)) + " " +
                                    std::to_string(kCpuPeriodUs);
  ::rmdir(path.c_str());  // one that is left counts what another guest did
  const bool made = ::mkdir(path.c_str(), 0755) == 0 &&
                    write_small_file(path + "/memory.max", memory) &&
                    write_small_file(path + "/cpu.max", cpu) &&
                    write_small_file(path + "/pids.max", std::to_string(kMaxTasks));
  if (!made) {
    const std::string words = std::strerror(errno);
    ::rmdir(path.c_str());
    return Error{Code::start_failed, "cgroup " + path + ": " + words, ""};
  }
  // Absent without swap accounting, or on older kernels: the limit holds without them.
  static_cast<void>(write_small_file(path + "/memory.swap.max", "0"));
  static_cast<void>(write_small_file(path + "/memory.oom.group", "1"));
  return path;
}

std::optional<ProcessUse> Cgroups::use(std::uint32_t slot) const {
  if (!available()) return std::nullopt;
  const auto cpu = read_small_file(folder(slot) + "/cpu.stat");
  const auto memory = read_small_file(folder(slot) + "/memory.current");
  constexpr std::string_view kUsage = "usage_usec ";
  if (!cpu || !memory || cpu->rfind(kUsage, 0) != 0) return std::nullopt;
  ProcessUse use;
  use.cpu_ms = std::strtoull(cpu->c_str() + kUsage.size(), nullptr, 10) / 1000;
  use.rss_bytes = std::strtoull(memory->c_str(), nullptr, 10);
  return use;
}

bool Cgroups::out_of_memory(std::uint32_t slot) const {
  if (!available()) return false;
  const auto events = read_small_file(folder(slot) + "/memory.events");
  if (!events) return false;
  const std::size_t at = events->find("oom_kill ");
  return at != std::string::npos && events->compare(at + 9, 2, "0\n") != 0;
}

void Cgroups::remove(std::uint32_t slot) {
  if (available()) ::rmdir(folder(slot).c_str());
}

void Cgroups::remove_all() {
  for (std::uint32_t slot = 0; slot < proto::kMaxInstances; ++slot) {
    if (::access(folder(slot).c_str(), F_OK) != 0) continue;
    static_cast<void>(write_small_file(folder(slot) + "/cgroup.kill", "1"));
    for (int tries = 0; tries < 100 && ::rmdir(folder(slot).c_str()) != 0; ++tries) {
      ::usleep(10000);  // until what was killed is gone
    }
  }
}

}  // namespace launcher
