// The half of Fleet that lets devices in to a rollout, wave by wave and within its budget, and that
// takes them back.
#include <map>
#include <set>
#include <utility>

#include "controller/fleet.h"
#include "ota/hash.h"
#include "proto/log.h"

namespace controller {
namespace {

constexpr std::int64_t kAnyWave = std::int64_t{1} << 32;

// What its slot beside the live one holds and may go back to; 0 if nothing, or the same release
// with the values before.
std::uint64_t good_other(const v1::AppStatus& status) {
  const v1::SlotStatus& other = status.live_slot() == "A" ? status.b() : status.a();
  const bool good = other.state() == v1::GOOD && other.release() != status.live_release();
  return good ? other.release() : 0;
}

// The device says that it is as wanted. A wish without a rollout has no row that would tell.
bool is_reached(const v1::DesiredApp& desired, const v1::Telemetry& facts) {
  const v1::AppStatus& status = status_of(facts, desired.app());
  switch (desired.run()) {
    case v1::REMOVE: return status.live_release() == 0;
    case v1::STOP: return status.live_release() == 0 ||
                          (status.stopped() && status.instance().id().empty());
    default: return status.live_release() == desired.release();
  }
}

/// Who is under way by pushes of any app, by the label of a budget. A device that is under way
/// already costs nothing more, unless more are than may be.
///   counts   from its offer to its end: verdict, deadline, or called off; and while it goes back
///   does not who was offline when its turn came, or went offline before it was told anything; who
///            went offline on the way, from the deadline on (it passes the gates again)
/// A fleet that goes back asks no budget, it only counts in those of others: so there may be more.
/// Devices without the label are one group.
class Budget {
 public:
  Budget(const v1::MaxUnavailable& limit, const std::vector<Store::Waiting>& under_way)
      : count_(limit.count()) {
    for (const Store::Waiting& device : under_way) take(device);
  }
  bool has_room(const Store::Waiting& device) const {
    if (count_ == 0) return true;
    const auto found = used_.find(device.value);
    if (found == used_.end()) return true;
    return devices_.count(device.id) == 1 ? found->second <= count_ : found->second < count_;
  }
  void take(const Store::Waiting& device) {
    if (devices_.insert(device.id).second) ++used_[device.value];
  }

 private:
  std::uint32_t count_;
  std::map<std::string, std::uint32_t> used_;
  std::set<std::string> devices_;
};

}  // namespace

Status Fleet::let_in_touched() {
  while (!touched_.empty()) {
    const std::set<std::int64_t> now = std::exchange(touched_, {});
    for (const std::int64_t number : now) TRY_VOID(let_in(number));
    // Who was let in touches its rollout; nothing else than that followed from it.
    for (const std::int64_t number : now) touched_.erase(number);
  }
  return {};
}

Status Fleet::let_in(std::int64_t number) {
  unfinished_.erase(number);
  TRY(const auto rollout, store_.rollout(number));
  if (!rollout || !rollout::has_waves(rollout->kind) || !rollout::lets_in(*rollout)) return {};
  const bool limited = rollout->policy.has_max_unavailable() && rollout::is_release(rollout->kind);
  const std::string label = limited ? rollout->policy.max_unavailable().by() : "";
  const std::int64_t wave = rollout->state == v1::ROLLOUT_RUNNING ? rollout->wave : kAnyWave;
  // Who waits for a budget or for another rollout must not stand before those who need not.
  const bool all = limited || rollout->kind == v1::KIND_STAGE;
  TRY(const auto waiting, store_.waiting_devices(number, wave, label, all ? -1 : kLetInAtOnce));
  if (waiting.empty()) return {};
  std::vector<Store::Waiting> under_way;
  if (limited) {
    TRY(under_way, store_.devices_under_way(label));
  }
  Budget budget(limited ? rollout->policy.max_unavailable() : v1::MaxUnavailable(), under_way);
  std::int64_t count = 0;
  for (const Store::Waiting& next : waiting) {
    if (count == kLetInAtOnce) break;
    if (!budget.has_room(next)) continue;
    TRY(const auto device, store_.rollout_device(number, next.id));
    if (!device || !rollout::may_let_in(*rollout, *device)) continue;
    if (rollout->kind == v1::KIND_STAGE) {
      TRY(const bool busy, is_under_way(*rollout, next.id));
      if (busy) continue;
    }
    TRY_VOID(let_in_device(*rollout, next.id));
    budget.take(next);
    ++count;
  }
  if (count == kLetInAtOnce) unfinished_.insert(number);
  return {};
}

Result<bool> Fleet::is_under_way(const rollout::Rollout& rollout, const std::string& device_id) {
  TRY(const auto open, store_.open_rollouts_of(device_id));
  for (const std::int64_t number : open) {
    if (number == rollout.number) continue;
    TRY(const auto other, store_.rollout(number));
    TRY(const auto row, store_.rollout_device(number, device_id));
    if (other && row && other->app == rollout.app && row->row.let_in()) return true;
  }
  // The values of a wish that was taken back are reached when the device says so.
  TRY(const bool awaited, store_.is_awaited(device_id, rollout.app));
  if (awaited) return true;
  TRY(const auto desired, store_.desired_app(device_id, rollout.app));
  TRY(const auto row, store_.device(device_id));
  return desired && row && !is_reached(*desired, row->facts);
}

Status Fleet::let_in_device(const rollout::Rollout& rollout, const std::string& device_id) {
  TRY_VOID(supersede(device_id, rollout, Superseded::all));
  TRY(const rollout::Before before, wanted_before(device_id, rollout.app));
  const rollout::LetIn event{ota::random_id(), before};
  TRY_VOID(apply(rollout.number, device_id, event));
  return gate(rollout.number, device_id);
}

// The wish of a push, a rollback or a stage. Orders have written theirs already.
Status Fleet::want_release(const rollout::Step& step) {
  const rollout::Rollout& rollout = step.rollout;
  const rollout::Device& device = step.device;
  TRY(const auto before, store_.desired_app(device.id, rollout.app));
  v1::DesiredApp desired = before.value_or(v1::DesiredApp());
  desired.set_attempt(device.attempt);
  desired.set_rollout(rollout.id());
  desired.set_deadline_ms(static_cast<std::uint64_t>(rollout.device_deadline_ms));
  if (!rollout::has_waves(rollout.kind)) return want(device.id, std::move(desired));
  desired.set_app(rollout.app);
  desired.set_fall_back(0);
  desired.set_retry_refused(device.row.retries() > 0);
  if (rollout.kind == v1::KIND_STAGE) {
    if (!before || before->run() == v1::REMOVE) {  // what is gone is not to go again
      TRY(const auto row, store_.device(device.id));
      desired.set_run(v1::RUN);
      const std::uint64_t live =
          row ? status_of(row->facts, rollout.app).live_release() : 0;
      TRY_VOID(stand_on(device.id, live, desired));
    }
    desired.set_stage_release(rollout.release);
  } else {
    desired.set_release(rollout.release);
    desired.set_run(v1::RUN);
    desired.set_stage_release(0);
    TRY_VOID(fill_values(device.id, desired));
  }
  return want(device.id, std::move(desired));
}

// DESIGN 4's order to go back one step, by this rollout.
Status Fleet::want_back(const rollout::Step& step, std::uint64_t release) {
  TRY(auto desired, store_.desired_app(step.device.id, step.rollout.app));
  if (!desired) return {};
  if (desired->stage_release() != 0) {
    TRY_VOID(supersede(step.device.id, step.rollout, Superseded::all));
    desired->set_stage_release(0);
  }
  desired->set_run(v1::RUN);
  desired->set_attempt(step.device.attempt);
  desired->set_rollout(step.rollout.id());
  TRY_VOID(stand_on(step.device.id, release, *desired));
  desired->set_fall_back(release);
  return want(step.device.id, std::move(*desired));
}

// What runs there if it did not take the release, what it can go back to if it did; 0: nothing.
Result<std::uint64_t> Fleet::way_back(const rollout::Rollout& rollout,
                                      const rollout::Device& device) {
  TRY(const auto row, store_.device(device.id));
  if (!row) return std::uint64_t{0};
  const v1::AppStatus& app = status_of(row->facts, rollout.app);
  if (app.app().empty()) return device.before.release;
  return app.live_release() == rollout.release ? good_other(app) : app.live_release();
}

Status Fleet::halt_device(std::int64_t number, const std::string& device_id) {
  TRY(const auto rollout, store_.rollout(number));
  TRY(const auto device, store_.rollout_device(number, device_id));
  if (!rollout || !device || !device->row.let_in()) return {};
  TRY(const auto desired, store_.desired_app(device_id, rollout->app));
  const bool ours = desired && (desired->attempt() == device->attempt ||
                                desired->rollout().empty() ||  // taken back, and it came too late
                                stages_beside(*desired, rollout->release));
  if (!ours) return {};  // a newer wish stands
  TRY(const std::uint64_t to, way_back(*rollout, *device));
  const bool wish_stands = desired->attempt() == device->attempt;
  return apply(number, device_id, rollout::Halted{ota::random_id(), to, wish_stands});
}

Status Fleet::halt(std::int64_t number) {
  TRY(const auto devices, store_.rollout_devices(number));
  for (const rollout::Device& device : devices) TRY_VOID(halt_device(number, device.id));
  TRY(const auto rollout, store_.rollout(number));
  FLEET_ASSERT(rollout.has_value());
  return follow_course(rollout::settle(*rollout, clock_.wall_ms()));
}

// The verdict is in. After a bad one those who were told and never answered want again what they
// wanted before, so that nobody tries a failed release on return.
Status Fleet::close(const rollout::Rollout& rollout) {
  proto::log_info("rollout.ended", {{"rollout", rollout.id()},
                                    {"state", rollout::word(rollout.state)},
                                    {"verdict", rollout.verdict}});
  TRY_VOID(tell_rollout(rollout, "rollout.ended", rollout.verdict, nullptr));
  TRY_VOID(audit_.record({kController, "rollout.ended", rollout.id(), rollout.verdict}));
  if (rollout.state != v1::ROLLOUT_FAILED) return {};
  TRY(const auto devices, store_.rollout_devices(rollout.number));
  for (const rollout::Device& device : devices) {
    if (device.row.state() != v1::WAITING) continue;
    TRY_VOID(halt_device(rollout.number, device.id));
  }
  return {};
}

}  // namespace controller
