// Finds out which monitors really work here by running and timing a tiny guest under each: a device
// node proves nothing (on nested hosts KVM may interpret every instruction or die on the first SSE
// one). Never guesses from files or CPU flags.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/launcher_client.h"
#include "proto/result.h"

namespace monitors {

/// One way to run a guest, with what the probe saw.
struct ProbeResult {
  std::string monitor;                   // "hvt", "spt", "qemu"
  bool kvm = false;
  bool usable = false;
  std::uint32_t elapsed_ms = 0;          // process start to the guest's end
  std::string evidence;                  // "ran a million instructions and floating point in 31 ms"
};

struct ProbeOptions {
  std::uint32_t deadline_ms = 2000;      // a hang is rejected after this
};

/// Runs a probe guest in every way that the launcher allows; blocks for at most deadline_ms + 1 s
/// each (so call it through run_blocking). Usable ones first, in the order hvt, spt, QEMU with KVM,
/// QEMU without; the rejected follow with their evidence. Where hvt shows that KVM is of no use,
/// QEMU is not tried with it. Errors: launcher (away), timeout.
/// QEMU missing is no error: its results are unusable and name the package.
proto::Result<std::vector<ProbeResult>> probe_monitors(agent::Launcher& launcher,
                                                       const ProbeOptions& options = {});

/// The first usable result for a monitor, or nullptr.
const ProbeResult* best_for(const std::vector<ProbeResult>& results, std::string_view monitor);

/// The tag of the probe's instances: no app, never to be adopted.
inline constexpr char kProbeTag[] = "probe";

}  // namespace monitors
