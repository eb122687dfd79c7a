#include "deploy/fleetctl/log_prefix.h"

#include <algorithm>

#include "deploy/fleetctl/text.h"

namespace fleetctl {
namespace {

// A column that a guest's or a device's name must not use up.
constexpr std::size_t kWidest = 32;

}  // namespace

void LogPrefixes::expect(const std::string& device) {
  order_.emplace(device, order_.size());
  columns_ = std::max(columns_, std::min(display_width(visible(device)), kWidest));
}

std::string LogPrefixes::of(const std::string& device) {
  expect(device);
  return terminal_.paint_apart(order_.at(device), pad(visible(device), columns_) + " |") + " ";
}

}  // namespace fleetctl
