#include "controller/fleet.h"

#include <algorithm>
#include <utility>

#include "ota/hash.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;
using rollout::Device;
using rollout::Rollout;
using rollout::Step;

std::string count_of_devices(std::uint32_t count) {
  return std::to_string(count) + (count == 1 ? " device" : " devices");
}

std::string begin_text(const Rollout& value) {
  std::string verb = "pushes";
  switch (value.kind) {
    case v1::KIND_REVERT: verb = "reverts"; break;
    case v1::KIND_STOP: verb = "stops"; break;
    case v1::KIND_START: verb = "starts"; break;
    case v1::KIND_RESTART: verb = "restarts"; break;
    case v1::KIND_DELETE: verb = "deletes"; break;
    default: break;
  }
  std::string text = value.by + " " + verb + " " + value.app;
  if (value.kind == v1::KIND_PUSH) text += " " + std::to_string(value.release);
  return text + (value.kind == v1::KIND_PUSH ? " to " : " on ") + value.selector + " (" +
         count_of_devices(value.counts.devices()) + ")";
}

v1::Event device_event(const char* kind, const std::string& name, const std::string& text) {
  v1::Event event;
  event.set_kind(kind);
  event.set_device(name);
  event.set_text(text);
  return event;
}

}  // namespace

v1::Rollout to_api(const Rollout& value) {
  v1::Rollout out;
  out.set_id(value.id());
  out.set_kind(value.kind);
  out.set_app(value.app);
  out.set_release(value.release);
  out.set_previous_release(value.previous_release);
  out.set_selector(value.selector);
  out.set_by(value.by);
  out.set_state(value.state);
  out.set_created_ms(static_cast<std::uint64_t>(value.created_ms));
  out.set_ended_ms(static_cast<std::uint64_t>(value.ended_ms));
  *out.mutable_counts() = value.counts;
  out.set_verdict(value.verdict);
  out.set_strategy(value.strategy);
  out.set_require_all(value.require_all);
  return out;
}

Status Fleet::came_online(Work& work, const std::string& id, const std::string& name) {
  if (!online_.insert(id).second) return {};
  TRY_VOID(work.tell(device_event("device.online", name, name + " is online"), 0));
  TRY(const std::vector<std::int64_t> open, store_.open_rollouts_of(id));
  for (const std::int64_t number : open) TRY_VOID(apply(work, number, id, rollout::Online{}));
  return {};
}

Status Fleet::went_offline(Work& work, const std::string& id, const std::string& name) {
  if (online_.erase(id) == 0) return {};
  TRY_VOID(work.tell(device_event("device.offline", name, name + " is offline"), 0));
  TRY(const std::vector<std::int64_t> open, store_.open_rollouts_of(id));
  for (const std::int64_t number : open) TRY_VOID(apply(work, number, id, rollout::Offline{}));
  return {};
}

Status Fleet::apply(Work& work, std::int64_t number, const std::string& device_id,
                    const rollout::Event& event) {
  TRY(std::optional<Rollout> value, store_.rollout(number));
  if (!value) return {};
  std::vector<Pending> pending{{device_id, event}};
  // Bounded: an offer leads to one Offered, nothing leads further.
  for (std::size_t i = 0; i < pending.size() && i < 4; ++i) {
    const Pending one = pending[i];
    TRY(std::optional<Device> device, store_.rollout_device(number, one.device_id));
    if (!device) return {};
    Step step = rollout::step(std::move(*value), std::move(*device), one.event, work.now_ms());
    TRY_VOID(store_.set_rollout_device(number, step.device));
    TRY_VOID(store_.set_rollout(step.rollout));
    TRY_VOID(act(work, step, pending));
    value = std::move(step.rollout);
  }
  return {};
}

Status Fleet::act(Work& work, Step& step, std::vector<Pending>& next) {
  for (const rollout::Action& action : step.actions) {
    if (std::holds_alternative<rollout::Offer>(action)) {
      TRY_VOID(work.wants_changed(step.device.id));
      next.push_back({step.device.id, rollout::Offered{}});
    } else if (const auto* keep = std::get_if<rollout::KeepRunning>(&action)) {
      TRY_VOID(keep_running(work, step.device.id, step.rollout.app, keep->release));
    } else if (std::holds_alternative<rollout::TakeBack>(action)) {
      TRY_VOID(take_back(work, step.rollout, step.device));
    } else if (const auto* tell = std::get_if<rollout::Tell>(&action)) {
      TRY_VOID(tell_row(work, step, *tell));
    } else {
      TRY_VOID(close_rollout(work, step.rollout));
    }
  }
  return {};
}

Status Fleet::tell_row(Work& work, const Step& step, const rollout::Tell& tell) {
  v1::Event event = device_event(tell.kind.c_str(), step.device.row.device(), tell.text);
  event.set_app(step.rollout.app);
  event.set_by(step.rollout.by);
  *event.mutable_rollout() = to_api(step.rollout);
  *event.mutable_rollout_device() = step.device.row;
  proto::log_info("device.stepped", {{"device", step.device.row.device()},
                                     {"rollout", step.rollout.id()},
                                     {"attempt", step.device.attempt},
                                     {"state", rollout::word(step.device.row.state())}});
  return work.tell(std::move(event), step.rollout.number);
}

Status Fleet::keep_running(Work& work, const std::string& device_id, const std::string& app,
                           std::uint64_t release) {
  if (release == 0) {
    TRY_VOID(store_.remove_desired(device_id, app));
    return work.wants_changed(device_id);
  }
  TRY(std::optional<v1::DesiredApp> found, store_.desired_app(device_id, app));
  v1::DesiredApp wish = found ? *found : v1::DesiredApp();
  wish.set_app(app);
  wish.set_release(release);
  wish.set_run(v1::RUN);
  wish.set_fall_back(0);
  wish.set_attempt(ota::random_id());
  wish.clear_rollout();
  wish.set_deadline_ms(0);
  TRY_VOID(store_.set_desired(device_id, wish));
  return work.wants_changed(device_id);
}

Status Fleet::take_back(Work& work, const Rollout& value, const Device& device) {
  if (!device.before.wanted) {
    TRY_VOID(store_.remove_desired(device.id, value.app));
    return work.wants_changed(device.id);
  }
  TRY(std::optional<v1::DesiredApp> found, store_.desired_app(device.id, value.app));
  v1::DesiredApp wish = found ? *found : v1::DesiredApp();
  wish.set_app(value.app);
  wish.set_release(device.before.release);
  wish.set_run(device.before.run);
  wish.set_fall_back(0);
  wish.set_attempt(ota::random_id());
  wish.clear_rollout();
  wish.set_deadline_ms(0);
  TRY_VOID(store_.set_desired(device.id, wish));
  return work.wants_changed(device.id);
}

// The verdict is in: told, logged, and after a bad one those who were never reached keep what they
// have, so that nobody tries a failed release on return.
Status Fleet::close_rollout(Work& work, const Rollout& value) {
  v1::Event event;
  event.set_kind("rollout.ended");
  event.set_app(value.app);
  event.set_by(value.by);
  event.set_text(value.verdict);
  *event.mutable_rollout() = to_api(value);
  TRY_VOID(work.tell(std::move(event), value.number));
  proto::log_info("rollout.ended", {{"rollout", value.id()},
                                    {"state", rollout::word(value.state)},
                                    {"verdict", value.verdict}});
  if (value.state == v1::ROLLOUT_SUCCEEDED || value.state == v1::ROLLOUT_SUPERSEDED) return {};
  TRY(const std::vector<Device> devices, store_.rollout_devices(value.number));
  for (const Device& device : devices) {
    if (device.row.state() == v1::WAITING) TRY_VOID(take_back(work, value, device));
  }
  return {};
}

Status Fleet::supersede(Work& work, const Rollout& by, const std::string& device_id) {
  TRY(const std::vector<std::int64_t> open, store_.open_rollouts_of(device_id));
  for (const std::int64_t number : open) {
    if (number == by.number) continue;
    TRY(const std::optional<Rollout> older, store_.rollout(number));
    if (!older || older->app != by.app) continue;
    TRY_VOID(apply(work, number, device_id, rollout::Superseded{by.id()}));
  }
  return {};
}

Status Fleet::add_target(Work& work, Rollout& value, Target target,
                         std::vector<Pending>& next) {
  TRY(const std::optional<v1::DesiredApp> before, store_.desired_app(target.id, value.app));
  Device device;
  device.id = target.id;
  device.attempt = ota::random_id();
  if (before) {
    device.before = {true, before->release(), before->run()};
  }
  device.row.set_device(target.name);
  device.row.set_state(v1::WAITING);
  device.row.set_online(is_online(target.id));
  device.row.set_live_release(target.live_release);
  Step step = rollout::step(value, std::move(device), rollout::Joined{}, work.now_ms());
  value = step.rollout;
  TRY_VOID(store_.add_rollout_device(value.number, value.app, step.device));
  TRY_VOID(store_.set_rollout(value));
  if (target.held) {
    v1::Report report;
    report.set_attempt(step.device.attempt);
    report.set_state(v1::HELD);
    *report.mutable_why() = target.why;
    report.mutable_status()->set_live_release(target.live_release);
    next.push_back({target.id, rollout::Reported{std::move(report)}});
    return {};
  }
  v1::DesiredApp wish = std::move(target.desired);
  wish.set_app(value.app);
  wish.set_attempt(step.device.attempt);
  wish.set_rollout(value.id());
  wish.set_deadline_ms(static_cast<std::uint64_t>(value.device_deadline_ms));
  TRY_VOID(store_.set_desired(target.id, wish));
  TRY_VOID(work.wants_changed(target.id));
  if (!step.actions.empty()) next.push_back({target.id, rollout::Offered{}});
  return {};
}

Result<Rollout> Fleet::start(Work& work, Rollout value, std::vector<Target> targets) {
  FLEET_ASSERT(!targets.empty());
  TRY(value.number, store_.next_rollout_number());
  value.created_ms = work.now_ms();
  TRY_VOID(store_.add_rollout(value));
  // All are counted before the first of them can end it.
  std::vector<Pending> next;
  for (Target& target : targets) {
    TRY_VOID(supersede(work, value, target.id));
    TRY_VOID(add_target(work, value, std::move(target), next));
  }
  v1::Event event;
  event.set_kind("rollout.started");
  event.set_app(value.app);
  event.set_by(value.by);
  event.set_text(begin_text(value));
  *event.mutable_rollout() = to_api(value);
  TRY_VOID(work.tell(std::move(event), value.number));
  for (const Pending& each : next) {
    TRY_VOID(apply(work, value.number, each.device_id, each.event));
  }
  TRY(std::optional<Rollout> begun, store_.rollout(value.number));
  FLEET_ASSERT(begun.has_value());
  proto::log_info("rollout.started", {{"rollout", begun->id()},
                                      {"app", begun->app},
                                      {"release", begun->release},
                                      {"devices", begun->counts.devices()},
                                      {"by", begun->by}});
  return std::move(*begun);
}

Result<Rollout> Fleet::abort(std::int64_t number, const std::string& by) {
  Work work = this->work();
  TRY(std::optional<Rollout> found, store_.rollout(number));
  if (!found) {
    return Error{Code::not_found, "there is no rollout r-" + std::to_string(number), ""};
  }
  if (found->state != v1::ROLLOUT_RUNNING) {
    return Error{Code::conflict,
                 found->id() + " has ended already: " + rollout::word(found->state), ""};
  }
  TRY_VOID(store_.set_rollout(rollout::abort(std::move(*found), by, work.now_ms())));
  TRY(const std::vector<Device> devices, store_.rollout_devices(number));
  for (const Device& device : devices) {
    TRY_VOID(apply(work, number, device.id, rollout::Aborted{by}));
  }
  TRY(std::optional<Rollout> after, store_.rollout(number));
  FLEET_ASSERT(after.has_value());
  TRY_VOID(close_rollout(work, *after));
  TRY_VOID(work.commit());
  return std::move(*after);
}

Status Fleet::tick() {
  TRY(const auto due, store_.due(clock_.wall_ms()));
  TRY(const std::vector<Rollout> running, store_.running_rollouts());
  std::vector<Rollout> over;
  for (const Rollout& value : running) {
    rollout::TickStep step = rollout::tick(value, clock_.wall_ms());
    if (step.ended) over.push_back(std::move(step.rollout));
  }
  if (due.empty() && over.empty()) return {};
  Work work = this->work();
  for (const auto& [number, device] : due) {
    TRY_VOID(apply(work, number, device, rollout::DeadlinePassed{}));
  }
  for (const Rollout& value : over) {
    TRY_VOID(store_.set_rollout(value));
    TRY_VOID(close_rollout(work, value));
  }
  return work.commit();
}

Status Fleet::join(Work& work, const Subject& subject) {
  TRY(const std::vector<std::string> apps, store_.apps());
  for (const std::string& app : apps) {
    TRY(const std::vector<Rollout> good, store_.rollouts_of(app, v1::ROLLOUT_SUCCEEDED));
    // The newest word on this device counts: a push, or that the app was taken away again.
    for (const Rollout& each : good) {
      if (each.kind != v1::KIND_PUSH && each.kind != v1::KIND_DELETE) continue;
      const auto selector = parse_selector(each.selector);
      if (!selector || !selector->matches(subject)) continue;
      TRY(const auto row, store_.rollout_device(each.number, subject.id));
      if (each.kind == v1::KIND_DELETE || row) break;
      Target target;
      target.id = subject.id;
      target.name = subject.name;
      target.desired.set_release(each.release);
      target.desired.set_run(v1::RUN);
      Rollout value = each;
      std::vector<Pending> next;
      TRY_VOID(add_target(work, value, std::move(target), next));
      for (const Pending& one : next) {
        TRY_VOID(apply(work, value.number, one.device_id, one.event));
      }
      break;
    }
  }
  return {};
}

Status Fleet::recover() {
  TRY(const std::vector<Rollout> running, store_.running_rollouts());
  Work work = this->work();
  for (const Rollout& value : running) {
    TRY(const std::vector<Device> devices, store_.rollout_devices(value.number));
    for (const Device& device : devices) {
      if (!device.row.online()) continue;
      TRY_VOID(apply(work, value.number, device.id, rollout::Offline{}));
    }
    proto::log_info("rollout.resumed", {{"rollout", value.id()}, {"app", value.app}});
  }
  return work.commit();
}

Result<std::uint64_t> Fleet::wanted_release(const std::string& app) {
  TRY(const std::vector<Rollout> good, store_.rollouts_of(app, v1::ROLLOUT_SUCCEEDED));
  for (const Rollout& each : good) {
    if (each.kind == v1::KIND_PUSH) return each.release;
    if (each.kind == v1::KIND_DELETE && each.selector == "all") return std::uint64_t{0};
  }
  return std::uint64_t{0};
}

}  // namespace controller
