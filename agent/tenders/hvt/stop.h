// Orders to stop, without a signal handler: the signals stay blocked, wake the guest's CPU and its
// poll, and are read from a descriptor.
#pragma once

#include <cstdint>

#include "agent/tenders/failure.h"
#include "agent/tenders/hvt/kvm.h"
#include "agent/tenders/wait_set.h"

namespace tenders::hvt {

class StopOrder {
 public:
  /// SIGTERM, SIGINT and SIGALRM from here on only reach us through here. errors io
  [[nodiscard]] bool listen(const Vm& vm, const WaitSet& set, std::uint32_t grace_ms,
                            Failure& failure);

  int descriptor() const { return descriptor_; }
  /// Somebody told us to stop, at some time.
  bool was_given() const { return given_; }
  /// Take what came. True: the guest ends now; an order with a grace only starts a timer.
  bool take();

 private:
  int descriptor_ = -1;
  std::uint32_t grace_ms_ = 0;
  bool given_ = false;
};

}  // namespace tenders::hvt
