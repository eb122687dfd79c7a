// What a waiting guest waits for: a timer and its network devices, in one epoll descriptor.
#pragma once

#include <cstdint>

#include "agent/tenders/devices.h"
#include "agent/tenders/failure.h"

namespace tenders {

struct WaitSet {
  int epoll = -1;
  int timer = -1;
  int net_count = 0;
};

/// Make them; every net device's event carries its handle, the timer's images::abi::kSptTimerEvent.
/// errors io
[[nodiscard]] bool make_wait_set(const Devices& devices, WaitSet& set, Failure& failure);

}  // namespace tenders
