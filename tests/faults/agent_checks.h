// What must hold on a device after a cut: what it had promised before is still so, what it reports
// is what its slots say, every pinned blob is there whole, nothing is there that no record names.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/unit/agent/fakes.h"

namespace faults {

/// What has left the device, or could have: a cut may not take it back.
struct Promises {
  struct Said {
    std::string attempt;
    fleet::v1::DeviceState state = fleet::v1::DEVICE_STATE_UNSPECIFIED;
    std::uint64_t release = 0;
    std::string why;
    bool operator==(const Said&) const = default;
  };
  std::map<std::uint64_t, Said> reports;  // by sequence
  std::uint64_t highest_confirmed = 0;
  std::int64_t time_floor_s = 0;
  bool has_live = false;
};

/// What the committed state of a running device promises.
Promises promises_of(tests::TestDevice& device);

/// The checks fail the running test. `device` has begun, and its loop has not run yet.
void check_promises(tests::TestDevice& device, const Promises& before, bool may_lose_live);
void check_records(tests::TestDevice& device);

/// At rest: the store holds what records pin and no more; no temporary is left but one that the
/// next write of its name takes away.
void check_store(tests::TestDevice& device);

/// How many verdicts an attempt has that differ.
std::size_t verdicts_of(tests::TestDevice& device, const std::string& attempt);

}  // namespace faults
