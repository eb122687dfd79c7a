// Recording: the durable calls of this very process below one directory, for tests whose program
// links interpose.cc. One at a time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/faults/interpose.h"

namespace faults {

class Recording final : private Watcher {
 public:
  /// Calls `before_call(n)` before the call that would be the nth of the trace, from 0; it may be
  /// said twice for one n, when a call failed.
  Recording(const std::string& root, std::function<void(std::size_t)> before_call)
      : before_call_(std::move(before_call)) {
    watch(root, this);
  }
  ~Recording() override { watch("", nullptr); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  const std::vector<Op>& ops() const { return ops_; }

 private:
  void before() override { before_call_(ops_.size()); }
  void made(Op op) override { ops_.push_back(std::move(op)); }

  std::function<void(std::size_t)> before_call_;
  std::vector<Op> ops_;
};

}  // namespace faults
