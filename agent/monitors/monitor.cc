#include "agent/monitors/monitor.h"

#include <algorithm>

#include "proto/units.h"

namespace monitors {

int lend_interface(const GuestInterface& one, const GuestConfig& config,
                   agent::StartRequest& request) {
  if (one.serial.empty()) {
    request.interfaces.push_back({one.mac, one.address, one.bridge, one.promiscuous, one.dhcp,
                                  one.address6});
    return agent::kFirstTapFd + static_cast<int>(request.interfaces.size()) - 1;
  }
  const auto taps = std::count_if(config.interfaces.begin(), config.interfaces.end(),
                                  [](const auto& other) { return other.serial.empty(); });
  request.serials.push_back(one.serial == "none" ? "" : one.serial);
  return agent::kFirstTapFd + static_cast<int>(taps) +
         static_cast<int>(request.serials.size()) - 1;
}

std::string after(const agent::Instance& ended) {
  return " after " + proto::format_elapsed_ms(ended.exited_ms - ended.started_ms);
}

}  // namespace monitors
