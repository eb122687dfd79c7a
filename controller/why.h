// Why: which rule holds a device back from what is wanted of it. A pure function of what is
// recorded: no clock, no store. It never guesses: a rule that nothing is recorded of is not named.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/rollout.h"
#include "controller/windows.h"
#include "fleet/v1/api.pb.h"

namespace controller {

/// What is recorded of one app on one device. Times are Unix ms.
struct WhyFacts {
  std::string device;
  std::string app;
  bool online = false;
  std::int64_t seen_ms = 0;
  std::int64_t now_ms = 0;
  fleet::v1::Inventory inventory;
  std::optional<fleet::v1::AppStatus> status;        // as the device last said
  std::optional<fleet::v1::DesiredApp> wish;         // what the controller wants
  std::optional<rollout::Rollout> rollout;           // that the wish is of, else the app's newest
                                                     // one with this device
  std::optional<fleet::v1::RolloutDevice> row;       // the device's in it
  std::optional<fleet::v1::AppManifest> manifest;    // of the wanted release
  std::vector<fleet::v1::ConfigValue> values{};      // its variables that have a problem there
  bool yanked = false;                               // the wanted release
  Gate gate;                                         // its windows, now
  bool waits_for_turn = false;                       // in the rollout
  // Why its turn has not come; "" when it has, or it only has to be online for it.
  std::string wave;
  std::vector<std::string> other_memory;             // "scada 2 uses 402 of 415 MiB"
  bool certificate_over = false;
  std::string ahead;  // it is ahead of this controller: how; "" if it is not
};

/// The rules are looked at in the order in which they stop an update; `held_by` has those that
/// hold, `clear` those that were looked at and do not.
fleet::v1::WhyApp why(const WhyFacts& facts);

}  // namespace controller
