// The last words of a followed rollout: OK or FAILED, the cause, the console, what to do next, and
// the exit code. Pure; it says only what the reports say.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/exit_code.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct VerdictInput {
  const fleet::v1::Rollout& rollout;
  const fleet::v1::AppManifest* manifest = nullptr;  // of the release, when it is at hand
  std::string health_place;                          // "manifest.yml:45", when pushed from here
  bool require_all = false;
};

std::vector<std::string> verdict_lines(const VerdictInput& input);

ExitCode exit_code_of(const fleet::v1::Rollout& rollout, bool require_all);

/// "dig @192.0.2.11 www.example.test", "curl http://..."; "" when there is nothing to ask.
std::string try_it_hint(const fleet::v1::Rollout& rollout, const fleet::v1::AppManifest& manifest);

/// "(up 1.2s, 3.1 of 16 MiB, 2 restarts)"; `manifest` may be null.
std::string how_it_ran(const fleet::v1::Reason& why, const fleet::v1::AppManifest* manifest);

/// The port of the last "listening on ...:PORT" in console lines, 0 when there is none.
unsigned listening_port(const std::vector<std::string>& console);

}  // namespace fleetctl
