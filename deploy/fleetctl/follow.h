// Follows a rollout to its end: a live table on a terminal, plain lines elsewhere, JSON lines with
// --json. The rollout belongs to the controller: nothing that happens here changes it.
#pragma once

#include <string>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct FollowOptions {
  std::uint64_t wait_ms = 30 * 60 * 1000;
  bool require_all = false;
  const fleet::v1::AppManifest* manifest = nullptr;  // of the release, for hints and causes
  std::string health_place;                          // "manifest.yml:45"
};

/// in     rollout: as the controller answered it
/// out    UX.md C: ok, rollout_failed, wait_over (--wait ran out), detached (Ctrl-C), not_reached
///        (--wait ran out while no controller answered)
/// A stream that breaks is taken up again at the last event; a controller that is away is waited
/// for until wait_ms is over.
CommandResult follow_rollout(Program& program, Api& api, const fleet::v1::Rollout& rollout,
                             const FollowOptions& options);

/// The final table and the verdict, of a rollout that has ended (or the table so far).
void print_rollout(const Program& program, const fleet::v1::Rollout& rollout,
                   const FollowOptions& options);

}  // namespace fleetctl
