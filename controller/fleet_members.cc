// The half of Fleet that keeps the members of rollouts to their selectors, which are live (UX C).
#include <set>
#include <utility>

#include "controller/fleet.h"

namespace controller {
namespace {

constexpr std::int64_t kRolloutsLookedAt = 500;

}  // namespace

Status Fleet::join(const Subject& device) {
  if (is_ahead(device.id)) return {};  // when a person has decided
  TRY(const auto standing, store_.standing_rollouts(kRolloutsLookedAt));
  std::set<std::string> settled;  // apps, newest word first
  for (const auto& [number, app] : standing) {
    if (settled.count(app) == 1) continue;
    TRY(const rollout::Rollout rollout, stored(number));
    if (!rollout.halted_why.empty()) continue;
    TRY(const Selector selector, parse_selector(rollout.selector));
    if (!selector.matches(device) || !is_within(rollout.within, device)) continue;
    if (rollout.kind == v1::KIND_DELETE) settled.insert(rollout.app);
    if (!rollout::is_release(rollout.kind)) continue;
    TRY(const bool yanked, is_yanked(store_, rollout.app, rollout.release));
    if (yanked) continue;  // a device that joins gets the newest one that still stands
    settled.insert(rollout.app);
    TRY(const std::int64_t newest, store_.newest_rollout_of(device.id, rollout.app));
    if (newest >= rollout.number) continue;  // it had its turn, or a newer word
    TRY(const auto wanted, store_.desired_app(device.id, rollout.app));
    if (wanted && wanted->release() >= rollout.release) continue;
    TRY_VOID(join(device, rollout));
  }
  return let_in_touched();
}

// It is of the last wave: who comes later is no sample.
Status Fleet::join(const Subject& device, const rollout::Rollout& rollout) {
  rollout::Rollout joined = rollout;
  const Wish wish{device, {}};
  TRY_VOID(add_device(joined, wish, static_cast<std::uint32_t>(joined.waves.size())));
  // What succeeded is what a device wants, also one that was never online.
  const bool free = rollout.state == v1::ROLLOUT_SUCCEEDED &&
                    !rollout.policy.has_max_unavailable();
  return free ? let_in_device(joined, device.id) : Status();
}

Status Fleet::relabelled(const Subject& device) {
  TRY(const auto open, store_.open_rollouts_of(device.id));
  for (const std::int64_t number : open) {
    TRY(const auto rollout, store_.rollout(number));
    TRY(const auto row, store_.rollout_device(number, device.id));
    if (!rollout || !row || row->row.let_in()) continue;  // who has it keeps it
    TRY(const Selector selector, parse_selector(rollout->selector));
    if (selector.matches(device)) continue;
    TRY_VOID(store_.remove_rollout_device(number, device.id));
    TRY_VOID(follow_course(rollout::leave(*rollout, *row, clock_.wall_ms())));
  }
  TRY_VOID(join(device));
  return look_at_windows(device.id);
}

}  // namespace controller
