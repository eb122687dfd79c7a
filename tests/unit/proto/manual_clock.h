// A clock that moves only when a test says so.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "proto/async.h"

namespace proto_test {

class ManualClock : public proto::Clock {
 public:
  std::int64_t now_ms() const override { return now_ms_; }
  std::int64_t wall_ms() const override { return 1'700'000'000'000 + now_ms_; }
  TimerId call_at(std::int64_t at_ms, std::function<void()> wake) override {
    const TimerId id = next_++;
    pending_.emplace(std::pair(at_ms, id), std::move(wake));
    return id;
  }
  void cancel(TimerId timer) override {
    std::erase_if(pending_, [timer](const auto& entry) { return entry.first.second == timer; });
  }
  /// Fires what is due, in order.
  void advance(std::int64_t ms) {
    now_ms_ += ms;
    while (!pending_.empty() && pending_.begin()->first.first <= now_ms_) {
      auto wake = std::move(pending_.begin()->second);
      pending_.erase(pending_.begin());
      wake();
    }
  }
  std::size_t timers() const { return pending_.size(); }

 private:
  std::int64_t now_ms_ = 1000;
  TimerId next_ = 1;
  std::map<std::pair<std::int64_t, TimerId>, std::function<void()>> pending_;
};

}  // namespace proto_test
