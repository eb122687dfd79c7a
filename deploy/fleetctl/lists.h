// The commands that look: apps, releases, devices, ps, status, rollouts. The tables are pure
// functions of the controller's answers; empty ones teach the next command.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct DeviceFilter {
  std::string selector;  // --to
  std::string state;     // --state
  std::string name;      // --name
  bool labels = false;   // --labels: what labels and values there are
  std::string output;    // -o wide: more columns of ps
};

CommandResult list_apps(Program& program);
CommandResult list_releases(Program& program, const std::string& app);
CommandResult list_devices(Program& program, const DeviceFilter& filter);
CommandResult list_instances(Program& program, const DeviceFilter& filter);
CommandResult list_rollouts(Program& program);
CommandResult show_status(Program& program);
CommandResult show_device(Program& program, const std::string& name);

// in     now_ms: wall time
std::vector<std::string> apps_table(const fleet::v1::AppList& list);
std::vector<std::string> releases_table(const fleet::v1::ReleaseList& list, std::string_view app,
                                        std::uint64_t now_ms);
std::vector<std::string> devices_table(const fleet::v1::DeviceList& list, std::uint64_t now_ms);
std::vector<std::string> labels_table(const fleet::v1::DeviceList& list);
std::vector<std::string> instances_table(const fleet::v1::DeviceList& list, std::uint64_t now_ms,
                                         bool wide = false);
std::vector<std::string> rollouts_table(const fleet::v1::RolloutList& list, std::uint64_t now_ms);
std::vector<std::string> device_lines(const fleet::v1::Device& device, std::uint64_t now_ms);

/// What the controller knows, for `status`.
struct StatusInput {
  std::string host;
  const fleet::v1::ServerStatus& server;
  const fleet::v1::Whoami& who;
};
std::vector<std::string> status_lines(const StatusInput& input, std::uint64_t now_ms);

/// {"instances": [{"device", "app", "release", "slot", "state", ...}]}: ps --json.
std::string instances_json(const fleet::v1::DeviceList& list);

/// "dns 3: 12 healthy, 1 failed" of a rollout's counts.
std::string counts_text(const fleet::v1::Rollout& rollout);
/// What a selector that matches nothing says, for every command with --to.
/// in     consequence: "nothing was signed or uploaded"
proto::Error no_match(std::string_view selector, const fleet::v1::DeviceList& list,
                      std::string_view consequence);

}  // namespace fleetctl
