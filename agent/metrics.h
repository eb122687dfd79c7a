// What the agent says to Prometheus: the device and each app, in the text format. A pure function
// of what `fleet-agent status` knows; agent/http_metrics serves it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "fleet/v1/device.pb.h"

namespace agent {

/// Reports since the agent started, by app and state.
using ReportCounts = std::map<std::pair<std::string, fleet::v1::DeviceState>, std::uint64_t>;

/// Each metric with HELP and TYPE, each family once.
std::string metrics_text(const fleet::v1::Device& device, const ReportCounts& reports);

}  // namespace agent
