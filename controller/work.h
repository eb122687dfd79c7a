// Work: one transaction of the fleet, and what it has to tell once it is committed. Nothing leaves
// the controller before the commit: no event, no Desired.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "controller/events.h"
#include "controller/store.h"

namespace controller {

class Work {
 public:
  /// Called after a commit with the devices whose Desired changed.
  using Nudge = std::function<void(const std::set<std::string>&)>;

  /// All outlive it.
  Work(Store& store, Events& events, const Nudge& nudge, std::int64_t now_ms)
      : store_(store), events_(events), nudge_(nudge), now_ms_(now_ms), transaction_(store) {}

  Store& store() { return store_; }
  /// Unix ms; the same for all of it.
  std::int64_t now_ms() const { return now_ms_; }

  /// Stores an event; `rollout` 0: of none. errors as Store
  Status tell(v1::Event event, std::int64_t rollout);
  /// What this device is wanted to run has changed: its generation rises, once per Work.
  Status wants_changed(const std::string& device_id);
  /// Commits, then tells. errors as Store; nothing was told then
  Status commit();

 private:
  Store& store_;
  Events& events_;
  const Nudge& nudge_;
  std::int64_t now_ms_;
  Store::Transaction transaction_;
  std::vector<EventRow> told_;
  std::set<std::string> changed_;
};

}  // namespace controller
