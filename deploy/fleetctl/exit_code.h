// What a script sees of an ended command (UX.md C). The numbers are a promise.
#pragma once

#include "proto/result.h"

namespace fleetctl {

enum class ExitCode : int {
  ok = 0,
  error = 1,
  usage = 2,
  rollout_failed = 3,   // failed, aborted, reverted; with --require-all: not all healthy
  not_reached = 4,      // no controller
  wait_over = 5,        // --wait ran out, the rollout goes on
  detached = 130,       // Ctrl-C; the rollout goes on
};

/// The code of a command that ended with an error.
ExitCode exit_code_of(const proto::Error& error);

}  // namespace fleetctl
