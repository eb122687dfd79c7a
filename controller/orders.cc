// Orders: what an operator may ask without a signature. A device obeys them within what was signed.
#include <algorithm>
#include <utility>

#include "controller/push.h"

namespace controller {
namespace {

using proto::Code;

v1::RolloutKind kind_of(v1::OrderKind order) {
  switch (order) {
    case v1::ORDER_REVERT: return v1::KIND_REVERT;
    case v1::ORDER_STOP: return v1::KIND_STOP;
    case v1::ORDER_START: return v1::KIND_START;
    case v1::ORDER_RESTART: return v1::KIND_RESTART;
    case v1::ORDER_DELETE: return v1::KIND_DELETE;
    default: return v1::ROLLOUT_KIND_UNSPECIFIED;
  }
}

// The good release in the slot that is not live; 0 if there is none.
std::uint64_t fall_back_of(const v1::AppStatus& status) {
  const v1::SlotStatus& other = status.live_slot() == "A" ? status.b() : status.a();
  if (other.state() != v1::GOOD || other.release() == status.live_release()) return 0;
  return other.release();
}

void hold(Target& target, const std::string& app) {
  target.held = true;
  target.why.set_code(v1::CODE_NO_FALLBACK);
  target.why.set_text(target.name + " has no other good release of " + app +
                      "; it keeps what runs: fleetctl rollback signs the old one anew");
}

void fill_order(Target& target, v1::RolloutKind kind, const v1::AppStatus& status,
                std::int64_t number) {
  v1::DesiredApp& wish = target.desired;
  wish.set_fall_back(0);
  switch (kind) {
    case v1::KIND_STOP:
      wish.set_run(v1::STOP);
      break;
    case v1::KIND_DELETE:
      wish.set_run(v1::REMOVE);
      wish.set_release(0);
      break;
    case v1::KIND_RESTART:
      wish.set_run(v1::RUN);
      // Rollout numbers rise for ever, also over a delete; a count of our own would begin again.
      wish.set_restart_count(static_cast<std::uint32_t>(number));
      break;
    case v1::KIND_REVERT: {
      const std::uint64_t release = fall_back_of(status);
      if (release == 0) return hold(target, status.app());
      wish.set_run(v1::RUN);
      wish.set_release(release);
      wish.set_fall_back(release);
      break;
    }
    default:
      wish.set_run(v1::RUN);
      break;
  }
}

}  // namespace

Result<rollout::Rollout> accept_order(Fleet& fleet, Store& store, const v1::OrderRequest& request,
                                      const std::string& by, std::vector<std::string>& nearest) {
  const v1::RolloutKind kind = kind_of(request.kind());
  if (kind == v1::ROLLOUT_KIND_UNSPECIFIED) {
    return Error{Code::bad_argument,
                 "kind is none of ORDER_REVERT, ORDER_STOP, ORDER_START, ORDER_RESTART, "
                 "ORDER_DELETE",
                 "kind"};
  }
  TRY(const std::vector<Subject> devices, select_devices(store, request.selector(), nearest));
  Work work = fleet.work();
  TRY(const std::int64_t number, store.next_rollout_number());
  std::vector<Target> targets;
  std::uint64_t running = 0;
  for (const Subject& subject : devices) {
    TRY(std::optional<v1::DesiredApp> wanted, store.desired_app(subject.id, request.app()));
    TRY(const std::optional<DeviceRow> row, store.device(subject.id));
    v1::AppStatus status;
    if (row) {
      for (const v1::AppStatus& each : row->facts.apps()) {
        if (each.app() == request.app()) status = each;
      }
    }
    // Neither wanted there nor reported from there: this order is not about that device.
    const bool gone = wanted && wanted->run() == v1::REMOVE && status.live_release() == 0;
    if (gone || (!wanted && status.live_release() == 0)) continue;
    status.set_app(request.app());
    Target target;
    target.id = subject.id;
    target.name = subject.name;
    target.live_release = status.live_release();
    if (wanted) target.desired = std::move(*wanted);
    if (target.desired.release() == 0) target.desired.set_release(status.live_release());
    running = std::max(running, status.live_release());
    fill_order(target, kind, status, number);
    targets.push_back(std::move(target));
  }
  if (targets.empty()) {
    return Error{Code::not_found,
                 "none of the " + std::to_string(devices.size()) + " devices of " +
                     request.selector() + " has " + request.app() + "; see fleetctl ps",
                 "app"};
  }
  rollout::Rollout plan;
  plan.kind = kind;
  plan.app = request.app();
  plan.release = running;
  plan.previous_release = running;
  plan.selector = request.selector();
  plan.by = by;
  TRY(rollout::Rollout begun, fleet.start(work, std::move(plan), std::move(targets)));
  TRY_VOID(work.commit());
  return begun;
}

}  // namespace controller
