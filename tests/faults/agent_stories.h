// Stories of one device that are cut at every durable call: what was there before, what is ordered,
// and how it must end whatever was cut.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/agent/fakes.h"

namespace faults {

/// A wish of the controller; the next order comes when `enough` holds.
struct Order {
  fleet::v1::DesiredApp wish;
  std::function<bool(tests::TestDevice&)> enough;
};

struct Story {
  std::string name;
  /// Puts releases into the repository and scripts into the device, which has not begun.
  std::function<void(tests::Repository&, tests::TestDevice&)> supply;
  std::vector<Order> before;      // obeyed before the recording begins
  std::vector<Order> orders;      // recorded, and cut
  fleet::v1::DeviceState verdict = fleet::v1::HEALTHY;  // the last one of the last order's attempt
  std::size_t verdicts = 1;       // how many that attempt may have, one after the other
  std::uint64_t live = 0;         // the release that runs at the end; 0: none
  std::set<std::uint64_t> may_run;  // releases that may be started after a cut
  /// More that must hold at the end; says what is wrong, or "".
  std::function<std::string(const tests::TestDevice&)> also;
  /// The release after all that were supplied, which must come up too.
  fleet::v1::AppManifest next;
};

/// Every one of them; names are unique.
std::vector<Story> agent_stories();

}  // namespace faults
