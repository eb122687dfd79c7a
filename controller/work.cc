#include "controller/work.h"

#include <utility>

namespace controller {

Status Work::tell(v1::Event event, std::int64_t rollout) {
  EventRow row{std::move(event), rollout};
  row.event.set_time_ms(static_cast<std::uint64_t>(now_ms_));
  TRY_VOID(events_.add(row));
  told_.push_back(std::move(row));
  return {};
}

Status Work::wants_changed(const std::string& device_id) {
  if (!changed_.insert(device_id).second) return {};
  TRY(const std::int64_t generation, store_.next_generation(device_id));
  FLEET_ASSERT(generation > 0);
  return {};
}

Status Work::commit() {
  TRY_VOID(transaction_.commit());
  for (const EventRow& row : told_) events_.publish(row);
  if (!changed_.empty() && nudge_) nudge_(changed_);
  return {};
}

}  // namespace controller
