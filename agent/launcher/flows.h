// Conntrack entries of published ports that still lead to an old guest.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/launcher/messages.h"
#include "proto/result.h"

namespace launcher {

inline constexpr int kFlushPatienceMs = 100;

/// Deletes the flows of these published ports that were translated to the named guests. A flow with
/// a request still unanswered (by conntrack's packet counters) is given up to kFlushPatienceMs, so
/// that its answer is not lost; then it goes too. Returns how many went. Flows that end by
/// themselves meanwhile are no error. Errors: launcher.
proto::Result<std::uint32_t> flush_flows(const std::vector<WireFlow>& flows);

}  // namespace launcher
