// Orders without a signature: revert, stop, start, restart, delete; and the rollouts that follow.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct OrderOptions {
  std::string app;
  std::string selector;
  fleet::v1::OrderKind kind = fleet::v1::ORDER_UNSPECIFIED;
  std::uint64_t release = 0;  // != 0: only devices that run this one
  std::uint64_t wait_ms = 30 * 60 * 1000;
  bool detach = false;
  bool require_all = false;
};
CommandResult give_order(Program& program, const OrderOptions& options);

struct RolloutOptions {
  std::string id;
  bool watch = false;
  std::uint64_t wait_ms = 24ull * 3600 * 1000;
};
CommandResult show_rollout(Program& program, const RolloutOptions& options);
/// Each may be said again: what is so already stays as it is.
CommandResult pause_rollout(Program& program, const std::string& id);
CommandResult resume_rollout(Program& program, const std::string& id);
CommandResult abort_rollout(Program& program, const std::string& id);

struct RetryOptions {
  std::string id;
  std::string device;  // "": all that failed
  std::uint64_t wait_ms = 30 * 60 * 1000;
  bool detach = false;
  bool require_all = false;
};
/// errors conflict (they went back and take only a higher release: push again) | not_found
CommandResult retry_rollout(Program& program, const RetryOptions& options);

struct LabelOptions {
  std::string name;
  std::vector<std::string> changes;  // "site=lyon" sets, "site-" removes
};
CommandResult label_device(Program& program, const LabelOptions& options);
/// Revokes the device's certificate; it has to be enrolled anew.
CommandResult remove_device(Program& program, const std::string& name);

}  // namespace fleetctl
