#include "controller/fleet.h"

#include <map>
#include <utility>

#include "ota/hash.h"
#include "proto/limits.h"
#include "proto/log.h"

namespace controller {

namespace {

// What a report says of an app is its newest fact, before the next telemetry.
void take_status(v1::Telemetry& facts, const v1::AppStatus& status) {
  if (status.app().empty()) return;
  for (v1::AppStatus& each : *facts.mutable_apps()) {
    if (each.app() != status.app()) continue;
    each = status;
    return;
  }
  if (facts.apps_size() < static_cast<int>(proto::kMaxAppsPerDevice)) *facts.add_apps() = status;
}

}  // namespace

const v1::AppStatus& status_of(const v1::Telemetry& facts, const std::string& app) {
  for (const v1::AppStatus& each : facts.apps()) {
    if (each.app() == app) return each;
  }
  return v1::AppStatus::default_instance();
}

Fleet::Fleet(Store& store, Events& events, proto::Clock& clock)
    : store_(store), events_(events), clock_(clock), audit_(store, clock), windows_(store),
      declared_(store) {}

void Fleet::committed() {
  events_.tell();
  const std::set<std::string> changed = std::exchange(dirty_, {});
  if (desired_changed) {
    for (const std::string& id : changed) desired_changed(id);
  }
  if (more_to_do && !unfinished_.empty()) more_to_do();
}

// Commits what went well; what did not leaves nothing, in the store or here.
Status Fleet::together(const std::function<Status()>& work) {
  FLEET_ASSERT(!together_);
  Store::Transaction transaction(store_);
  together_ = true;
  Status result = work();
  together_ = false;
  touched_.insert(unfinished_.begin(), unfinished_.end());
  if (result) result = let_in_touched();
  if (result) result = transaction.commit();
  if (!result) {
    dirty_.clear();
    touched_.clear();
    if (ahead_before_) ahead_ = *std::exchange(ahead_before_, std::nullopt);
    for (const auto& [id, was_online] : std::exchange(moved_, {})) {
      if (was_online) online_.insert(id);
      if (!was_online) online_.erase(id);
    }
    return result;
  }
  moved_.clear();
  ahead_before_.reset();
  committed();
  return {};
}

Status Fleet::go_on() {
  if (unfinished_.empty()) return {};
  return together([] { return Status(); });
}

Status Fleet::change(const std::function<Status()>& work) {
  return together_ ? work() : together(work);
}

Status Fleet::note(const std::string& kind, const std::string& text, const std::string& by,
                   const std::string& device) {
  EventRow row;
  row.event.set_kind(kind);
  row.event.set_text(text);
  row.event.set_by(by);
  row.event.set_device(device);
  return events_.add(std::move(row));
}

Status Fleet::tell(std::span<const v1::Event> events) {
  const auto work = [&]() -> Status {
    for (const v1::Event& event : events) {
      EventRow row;
      row.event = event;
      TRY_VOID(events_.add(std::move(row)));
    }
    return {};
  };
  return change(work);
}

Status Fleet::tell_rollout(const rollout::Rollout& rollout, const std::string& kind,
                           const std::string& text, const v1::RolloutDevice* row) {
  EventRow event;
  event.rollout = rollout.number;
  event.event.set_kind(kind);
  event.event.set_text(text);
  event.event.set_by(rollout.by);
  event.event.set_app(rollout.app);
  *event.event.mutable_rollout() = to_api(rollout);
  if (row != nullptr) {
    event.event.set_device(row->device());
    *event.event.mutable_rollout_device() = *row;
  }
  return events_.add(std::move(event));
}

// Each change raises the generation: a device acts on a higher one only. It is at least the time,
// so that a controller that was restored from a backup gives no number twice (as ota's online
// versions).
Status Fleet::changed(const std::string& device_id) {
  dirty_.insert(device_id);
  TRY([[maybe_unused]] const std::int64_t generation,
      store_.next_generation(device_id, {clock_.wall_ms(), hears(device_id)}));
  return {};
}

Status Fleet::want(const std::string& device_id, v1::DesiredApp desired) {
  TRY_VOID(store_.set_desired(device_id, desired));
  return changed(device_id);
}

Status Fleet::want_no_more(const std::string& device_id, const std::string& app) {
  TRY_VOID(store_.remove_desired(device_id, app));
  return changed(device_id);
}

// No later report of it is taken for the rollout's that it was of.
void Fleet::leave_rollout(v1::DesiredApp& desired) {
  desired.set_attempt(ota::random_id());
  desired.clear_rollout();
  desired.set_deadline_ms(0);
}

Status Fleet::stand_on(const std::string& device_id, std::uint64_t release,
                       v1::DesiredApp& desired) {
  desired.set_release(release);
  desired.set_fall_back(0);
  TRY_VOID(fill_values(device_id, desired));
  desired.set_keep_values(true);
  return {};
}

// The wish ended badly: what runs is wanted from now on, under an attempt of its own, so that
// nobody tries the failed one again.
Status Fleet::keep_running(const EndedWish& wish, std::uint64_t release) {
  TRY(auto desired, store_.desired_app(wish.device_id, wish.app));
  if (!desired || desired->attempt() != wish.attempt) return {};  // a newer wish stands
  if (release == 0) return want_no_more(wish.device_id, wish.app);
  desired->set_stage_release(0);
  leave_rollout(*desired);
  TRY_VOID(stand_on(wish.device_id, release, *desired));
  return want(wish.device_id, std::move(*desired));
}

// What is staged stands beside what runs, whatever that is: it went back, ended, or was told too
// late that it should not have begun.
Status Fleet::stage_beside(const std::string& device_id, const v1::AppStatus& status) {
  TRY(auto desired, store_.desired_app(device_id, status.app()));
  const bool stages = desired && desired->stage_release() != 0;
  if (!stages || desired->release() == status.live_release()) return {};
  TRY_VOID(stand_on(device_id, status.live_release(), *desired));
  return want(device_id, std::move(*desired));
}

Status Fleet::take_back(const rollout::Step& step, const std::string& attempt) {
  const rollout::Device& device = step.device;
  TRY(auto desired, store_.desired_app(device.id, step.rollout.app));
  if (!desired || desired->attempt() != attempt) return {};  // a newer wish stands
  if (!device.before.wanted) return want_no_more(device.id, step.rollout.app);
  desired->set_release(device.before.release);
  desired->set_run(device.before.run);
  desired->set_stage_release(device.before.stage_release);
  desired->set_fall_back(0);
  leave_rollout(*desired);
  TRY_VOID(fill_values(device.id, *desired));
  // The values of before are the point of it only where it was values that changed. One that never
  // heard of it may not have heard of values that were set before it either.
  const bool heard = device.row.started_ms() != 0;
  desired->set_keep_values(heard ? step.rollout.kind != v1::KIND_CONFIG
                                 : device.before.keep_values);
  TRY_VOID(want(device.id, *desired));
  if (desired->stage_release() != 0) return {};
  return store_.set_awaited(device.id, desired->app(), desired->attempt(), true);
}

Status Fleet::fill_values(const std::string& device_id, v1::DesiredApp& desired) {
  TRY(const Vars* vars, declared_.of(desired.app(), desired.release()));
  Subject subject;
  std::vector<ConfigRow> set;
  if (!vars->empty()) {
    TRY(subject, store_.subject(device_id));
    TRY(set, store_.config(device_id, desired.app()));
  }
  put_values(*vars, subject, set, desired);
  return {};
}

Status Fleet::follow_values(const rollout::Step& step, const rollout::Action& action) {
  const bool back = std::holds_alternative<rollout::KeepRunning>(action) ||
                    std::holds_alternative<rollout::TakeBack>(action);
  if (!back || step.rollout.kind != v1::KIND_CONFIG) return {};
  return store_.restore_config(step.device.id, step.rollout.number);
}

Status Fleet::perform(const rollout::Step& step, const rollout::Action& action) {
  const std::string& id = step.device.id;
  TRY_VOID(follow_values(step, action));
  if (std::holds_alternative<rollout::Want>(action)) return want_release(step);
  if (std::holds_alternative<rollout::Offer>(action)) {
    dirty_.insert(id);  // its Desired is in the store; it is sent after the commit
    return {};
  }
  if (const auto* back = std::get_if<rollout::GoBack>(&action)) {
    return want_back(step, back->release);
  }
  if (const auto* keep = std::get_if<rollout::KeepRunning>(&action)) {
    return keep_running({id, step.rollout.app, step.device.attempt}, keep->release);
  }
  if (const auto* taken = std::get_if<rollout::TakeBack>(&action)) {
    return take_back(step, taken->attempt);
  }
  const auto* tell = std::get_if<rollout::Tell>(&action);
  if (tell != nullptr && tell->of_device) {
    return tell_rollout(step.rollout, tell->kind, tell->text, &step.device.row);
  }
  return follow_course(step.rollout, action);
}

// What is about the whole rollout; it is stored as it is.
Status Fleet::follow_course(const rollout::Rollout& rollout, const rollout::Action& action) {
  if (const auto* tell = std::get_if<rollout::Tell>(&action)) {
    proto::log_info(tell->kind, {{"rollout", rollout.id()}, {"text", tell->text}});
    return tell_rollout(rollout, tell->kind, tell->text, nullptr);
  }
  if (std::holds_alternative<rollout::Halt>(action)) return halt(rollout.number);
  FLEET_ASSERT(std::holds_alternative<rollout::Ended>(action));
  return close(rollout);
}

Status Fleet::follow_course(const rollout::Course& course) {
  touched_.insert(course.rollout.number);
  TRY_VOID(store_.set_rollout(course.rollout));
  for (const rollout::Action& action : course.actions) {
    TRY_VOID(follow_course(course.rollout, action));
  }
  return {};
}

Status Fleet::apply(std::int64_t number, const std::string& device_id,
                    const rollout::Event& event) {
  TRY(auto rollout, store_.rollout(number));
  TRY(auto device, store_.rollout_device(number, device_id));
  if (!rollout || !device) return {};
  if (device->row.address().empty()) {
    // Where its published ports are reached; a device that was never online has none yet.
    TRY(const auto member, store_.member(device_id));
    if (member) device->row.set_address(member->address);
  }
  const rollout::Step step =
      rollout::step(std::move(*rollout), std::move(*device), event, clock_.wall_ms());
  touched_.insert(number);
  TRY_VOID(store_.set_rollout(step.rollout));
  TRY_VOID(store_.set_rollout_device(number, step.device));
  for (const rollout::Action& action : step.actions) TRY_VOID(perform(step, action));
  const bool settles = step.device.row.state() == v1::HEALTHY &&
                       (step.rollout.kind == v1::KIND_CONFIG ||
                        rollout::is_release(step.rollout.kind));
  if (settles) TRY_VOID(store_.settle_config(device_id, step.rollout.app));
  // One that comes late with a release that the others have left goes back, too.
  const bool late = !step.rollout.halted_why.empty() && step.device.row.state() == v1::HEALTHY &&
                    std::holds_alternative<rollout::Reported>(event);
  return late ? halt_device(number, device_id) : Status();
}

Status Fleet::came_online(const std::string& device_id, const std::string& name) {
  const auto work = [&]() -> Status {
    const bool is_new = online_.insert(device_id).second;
    moved_.try_emplace(device_id, !is_new);
    if (hears(device_id)) {
      TRY(const auto open, store_.open_rollouts_of(device_id));
      TRY_VOID(look_at_windows(device_id));
      for (const std::int64_t number : open) {
        TRY_VOID(apply(number, device_id, rollout::Online{}));
      }
      TRY_VOID(store_.set_told(device_id));
    }
    if (!is_new) return {};
    return note("device.online", name + " is online", "", name);
  };
  return change(work);
}

Status Fleet::went_offline(const std::string& device_id, const std::string& name) {
  const auto work = [&]() -> Status {
    moved_.try_emplace(device_id, online_.erase(device_id) == 1);
    TRY(const auto open, store_.open_rollouts_of(device_id));
    for (const std::int64_t number : open) {
      TRY_VOID(apply(number, device_id, rollout::Offline{}));
    }
    return note("device.offline", name + " is offline", "", name);
  };
  return change(work);
}

Result<v1::Desired> Fleet::desired_of(const std::string& device_id) {
  v1::Desired desired;
  TRY(const std::int64_t generation, store_.generation(device_id));
  desired.set_generation(static_cast<std::uint64_t>(generation));
  TRY(const std::uint64_t news, newest_news(store_));
  desired.set_metadata_news(news);
  TRY(const bool strange, store_.is_audit_stranger(device_id));
  if (!strange) {
    TRY(*desired.mutable_audit_head(), store_.audit_head());
  }
  if (const auto ahead = ahead_.find(device_id); ahead != ahead_.end()) {
    // "You are known", and nothing that it would act on.
    desired.set_generation(ahead->second);
    return desired;
  }
  TRY(auto apps, store_.desired(device_id));
  for (v1::DesiredApp& app : apps) *desired.add_apps() = std::move(app);
  TRY_VOID(mark_holds(device_id, desired));
  return desired;
}

Status Fleet::desired_sent(const std::string& device_id) {
  if (is_ahead(device_id)) return {};  // nothing was
  TRY(const auto open, store_.open_rollouts_of(device_id));
  if (open.empty()) return {};
  const auto work = [&]() -> Status {
    for (const std::int64_t number : open) {
      TRY_VOID(apply(number, device_id, rollout::Offered{}));
    }
    return {};
  };
  return change(work);
}

namespace {

bool is_on_its_way(v1::DeviceState state) {
  return state == v1::OFFERED || state == v1::FETCHING || state == v1::STAGED ||
         state == v1::TRIAL;
}

// What a device was at when the controller stopped it says again at its Hello; how it ended is
// written with its rollout's row.
bool is_lasting(const v1::Telemetry& before, const v1::AppStatus& status) {
  if (!is_on_its_way(status.state())) return true;
  const v1::AppStatus& known = status_of(before, status.app());
  return known.app().empty() || known.live_release() != status.live_release();
}

}  // namespace

Status Fleet::take_report(ReportingDevice& device, const v1::Report& report) {
  DeviceRow& row = device.row;
  const auto sequence = static_cast<std::int64_t>(report.sequence());
  if (sequence <= row.report_sequence) return {};  // taken before; only the Ack was lost
  row.report_sequence = sequence;
  device.lasting = device.lasting || is_lasting(row.facts, report.status());
  const v1::AppStatus& status = report.status();
  // Its Hello may have said already what runs.
  const bool moved = !is_on_its_way(report.state()) ||
                     status_of(row.facts, status.app()).live_release() != status.live_release();
  take_status(row.facts, status);
  if (moved && !status.app().empty()) TRY_VOID(stage_beside(row.id, status));
  TRY_VOID(store_.set_report_sequence(row.id, sequence,
                                      static_cast<std::int64_t>(report.generation())));
  TRY(const std::int64_t number, store_.rollout_of_attempt(row.id, report.attempt()));
  if (number == 0) {
    // Of a wish that was no rollout's: what was wanted before one that ended badly. It may fail.
    const v1::DeviceState state = report.state();
    if (!is_on_its_way(state)) {
      TRY_VOID(store_.set_awaited(row.id, report.app(), report.attempt(), false));
    }
    const bool bad = state == v1::REVERTED || state == v1::FAILED || state == v1::HELD;
    if (!bad) return {};
    return keep_running({row.id, report.app(), report.attempt()}, report.status().live_release());
  }
  return apply(number, row.id, rollout::Reported{report});
}

Status Fleet::take_reports(std::span<const DeviceReport> reports) {
  const auto work = [&]() -> Status {
    std::map<std::string, ReportingDevice> devices;
    for (const DeviceReport& entry : reports) {
      if (devices.count(entry.device_id) == 0) {
        TRY(auto row, store_.device(entry.device_id));
        if (!row) continue;
        devices.emplace(entry.device_id, ReportingDevice{std::move(*row)});
      }
      TRY_VOID(take_report(devices.at(entry.device_id), entry.report));
    }
    for (const auto& [id, device] : devices) {
      const std::int64_t now_ms = clock_.wall_ms();
      const bool held = !device.lasting && store_.hold_facts(id, device.row.facts, now_ms);
      if (!held) TRY_VOID(store_.set_facts(id, device.row.facts, now_ms));
    }
    return {};
  };
  return change(work);
}

}  // namespace controller
