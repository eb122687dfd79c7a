// The half of Fleet that leaves devices alone which obeyed a newer word than this controller knows,
// as they did when it was restored from an older backup: what is wanted here is old there. Nothing
// but a person's accept() ends that.
#include <algorithm>
#include <map>
#include <utility>

#include "controller/fleet.h"
#include "ota/hash.h"
#include "proto/log.h"

namespace controller {
namespace {

using proto::Code;

constexpr std::uint64_t kMaxGeneration = std::uint64_t{1} << 53;  // what JSON can carry
constexpr std::size_t kNamed = 5;

// Above everything that the device ever had of the app.
std::uint64_t newest_of(const v1::AppStatus& app) {
  return std::max({app.live_release(), app.highest_confirmed(), app.candidate_release(),
                   app.a().release(), app.b().release()});
}

bool has_trial(const v1::AppStatus& app) {
  return app.a().state() == v1::ON_TRIAL || app.b().state() == v1::ON_TRIAL;
}

// "dns 3, web 1 stopped"; "nothing"
std::string running_text(const v1::Telemetry& facts) {
  std::string text;
  for (const v1::AppStatus& app : facts.apps()) {
    if (app.live_release() == 0) continue;
    text += (text.empty() ? "" : ", ") + app.app() + " " + std::to_string(app.live_release()) +
            (app.stopped() ? " stopped" : "");
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

Result<std::string> Fleet::ahead_text(const DeviceRow& row) {
  std::string text = "obeyed a newer word than this controller knows, as after an older backup; "
                     "it runs " + running_text(row.facts);
  for (const v1::AppStatus& app : row.facts.apps()) {
    TRY(const auto releases, store_.releases(app.app()));
    const std::uint64_t known =
        releases.empty() ? 0 : static_cast<std::uint64_t>(releases.front().number);
    if (newest_of(app) <= known) continue;
    text += known == 0 ? ", " + app.app() + " is not known here"
                       : ", " + app.app() + " is known up to " + std::to_string(known);
  }
  return text;
}

Status Fleet::compare_generation(const std::string& device_id, std::uint64_t applied) {
  TRY(const std::int64_t told, store_.generation_told(device_id));
  if (applied <= static_cast<std::uint64_t>(told)) return {};
  TRY(auto row, store_.device(device_id));
  if (!row) return {};
  if (applied >= kMaxGeneration) {
    return Error{Code::bad_argument, row->name + " claims an impossible generation", ""};
  }
  const bool is_new = row->ahead_ms == 0;
  if (is_new) row->ahead_ms = clock_.wall_ms();
  TRY(row->ahead_text, ahead_text(*row));
  const auto work = [&]() -> Status {
    remember_ahead_before();
    ahead_[device_id] = applied;
    TRY_VOID(store_.set_ahead(*row));
    TRY(const auto open, store_.open_rollouts_of(device_id));
    // Nobody waits for it: to rollouts it is not there.
    for (const std::int64_t number : open) TRY_VOID(apply(number, device_id, rollout::Offline{}));
    if (!is_new) return {};
    return note("device.ahead", row->name + " " + row->ahead_text, "", row->name);
  };
  TRY_VOID(change(work));
  if (is_new) {
    proto::log_error("device.ahead", {{"device", row->name},
                                      {"generation", applied},
                                      {"told", row->generation_told},
                                      {"why", row->ahead_text}});
  }
  return {};
}

// What the transaction's end may bring back.
void Fleet::remember_ahead_before() {
  if (!ahead_before_) ahead_before_ = ahead_;
}

Status Fleet::remember_ahead() {
  TRY(const auto rows, store_.ahead_devices());
  for (const DeviceRow& row : rows) {
    ahead_[row.id] = static_cast<std::uint64_t>(row.generation_applied);
  }
  return {};
}

// An order for it would be lost with what it runs, and a release that nobody is there to take has
// no course.
Status Fleet::check_ahead(const rollout::Rollout& plan, const std::vector<Wish>& wishes) const {
  std::size_t ahead = 0;
  std::string names;
  for (const Wish& wish : wishes) {
    if (!is_ahead(wish.device.id)) continue;
    if (++ahead <= kNamed) names += (names.empty() ? "" : ", ") + wish.device.name;
  }
  const bool refused = rollout::has_waves(plan.kind) ? ahead == wishes.size() : ahead > 0;
  if (!refused) return {};
  if (ahead > kNamed) names += " and " + std::to_string(ahead - kNamed) + " more";
  return Error{Code::conflict,
               names + (ahead == 1 ? " is" : " are") +
                   " ahead of this controller and left alone until a person decides; look: "
                   "fleetctl devices --to " + plan.selector +
                   "; what they run is to be wanted: fleetctl device accept --to " +
                   plan.selector,
               plan.selector};
}

// What the device runs is wanted; what it does not have is not.
Status Fleet::want_what_runs(const DeviceRow& row) {
  TRY(const auto desired, store_.desired(row.id));
  std::map<std::string, v1::DesiredApp> before;
  for (const v1::DesiredApp& wish : desired) before[wish.app()] = wish;
  for (const v1::AppStatus& app : row.facts.apps()) {
    if (app.live_release() == 0) continue;
    v1::DesiredApp wish = before[app.app()];
    before.erase(app.app());
    wish.set_app(app.app());
    wish.set_run(app.stopped() ? v1::STOP : v1::RUN);
    wish.set_stage_release(0);
    wish.set_retry_refused(false);
    leave_rollout(wish);
    TRY_VOID(stand_on(row.id, app.live_release(), wish));  // this controller may not know values
    TRY_VOID(store_.set_desired(row.id, wish));
  }
  for (const auto& [app, wish] : before) TRY_VOID(store_.remove_desired(row.id, app));
  return {};
}

// Only releases above all that the device ever had go on there; the rest is word of before.
Status Fleet::leave_old_rollouts(const DeviceRow& row) {
  TRY(const auto open, store_.open_rollouts_of(row.id));
  for (const std::int64_t number : open) {
    TRY(const auto rollout, store_.rollout(number));
    if (!rollout) continue;
    std::uint64_t newest = 0;
    for (const v1::AppStatus& app : row.facts.apps()) {
      if (app.app() == rollout->app) newest = newest_of(app);
    }
    const bool goes_on = rollout::has_waves(rollout->kind) && rollout->release > newest;
    TRY_VOID(goes_on ? apply(number, row.id, rollout::Online{})
                     : apply(number, row.id, rollout::Superseded{"what the device runs"}));
  }
  return {};
}

Status Fleet::accept_one(const DeviceRow& row, const std::string& by) {
  const std::uint64_t obeyed = ahead_.at(row.id);
  const auto work = [&]() -> Status {
    remember_ahead_before();
    ahead_.erase(row.id);
    TRY_VOID(want_what_runs(row));
    DeviceRow accepted = row;
    accepted.ahead_ms = 0;
    accepted.ahead_text.clear();
    TRY_VOID(store_.set_ahead(accepted));
    // Above what it obeyed, or it would never hear us again.
    TRY([[maybe_unused]] const std::int64_t generation,
        store_.next_generation(row.id, {std::max(static_cast<std::int64_t>(obeyed) + 1,
                                                 clock_.wall_ms()),
                                        true}));
    dirty_.insert(row.id);
    TRY_VOID(leave_old_rollouts(row));
    TRY(const Subject subject, store_.subject(row.id));
    TRY_VOID(join(subject));
    const std::string runs = running_text(row.facts);
    TRY_VOID(audit_.record({by, "device.accepted", row.name, runs}));
    return note("device.accepted", by + " accepted what " + row.name + " runs: " + runs, by,
                row.name);
  };
  TRY_VOID(change(work));
  proto::log_info("device.accepted", {{"device", row.name}, {"by", by}});
  return {};
}

Result<v1::AcceptResult> Fleet::accept(const std::vector<Subject>& devices,
                                       const std::string& by) {
  v1::AcceptResult out;
  for (const Subject& device : devices) {
    if (!is_ahead(device.id)) continue;
    TRY(const auto row, store_.device(device.id));
    if (!row) continue;
    const auto& apps = row->facts.apps();
    const auto tried = std::find_if(apps.begin(), apps.end(), has_trial);
    std::string why;
    if (!is_online(device.id)) {
      why = "it is offline, and may have gone on since; accept it when it is back";
    } else if (tried != apps.end()) {
      why = tried->app() + " is on trial there; accept it when that has ended";
    }
    if (why.empty()) {
      TRY_VOID(accept_one(*row, by));
      out.add_accepted(row->name);
      continue;
    }
    v1::NotAccepted& left = *out.add_left();
    left.set_device(row->name);
    left.set_why(why);
  }
  return out;
}

}  // namespace controller
