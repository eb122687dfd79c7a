// The fleet: the shell around the pure rollout engine. It feeds rollout::step() with what happens
// to devices, and does what the steps say, in one transaction with their events; after the commit
// the devices whose Desired changed are told. It speaks to no network itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controller/audit.h"
#include "controller/events.h"
#include "controller/metadata.h"
#include "controller/rollout.h"
#include "controller/store.h"
#include "controller/values.h"
#include "controller/windows.h"
#include "proto/async.h"

namespace controller {

/// One device of a rollout that begins, and of an order what it is to want.
struct Wish {
  Subject device;
  v1::DesiredApp desired;  // attempt, rollout and deadline are set by begin()
};

/// A report of one device.
struct DeviceReport {
  std::string device_id;
  v1::Report report;
};

/// What the device says of an app; of one that it does not have, an empty one.
const v1::AppStatus& status_of(const v1::Telemetry& facts, const std::string& app);

/// Devices of one rollout that one transaction lets in: about 10 ms of the loop.
inline constexpr std::int64_t kLetInAtOnce = 64;

class Fleet {
 public:
  Fleet(Store& store, Events& events, proto::Clock& clock);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Called after a commit for each device whose Desired is another now.
  std::function<void(const std::string& device_id)> desired_changed;
  /// Called after a commit that left devices for go_on().
  std::function<void()> more_to_do;

  /// Does what `work` calls here in one transaction, which is kept when this returns: what several
  /// devices said costs one commit. errors as work's, and nothing is kept
  Status together(const std::function<Status()>& work);
  /// Lets in more of those whose turn has come, at most kLetInAtOnce of a rollout, so that a push
  /// to thousands holds up nobody. after: more_to_do is called if there are more
  Status go_on();

  bool is_online(const std::string& device_id) const { return online_.count(device_id) == 1; }
  std::size_t online_count() const { return online_.size(); }
  // fleet_ahead.cc
  /// The device says which generation it obeys. One above all that it was told is of a controller
  /// that this one's backup does not know: then the device is ahead. What is wanted here is no more
  /// sent to it, and no rollout counts on it, until a person decides.
  /// errors bad_argument (no generation that there can be)
  Status compare_generation(const std::string& device_id, std::uint64_t applied);
  bool is_ahead(const std::string& device_id) const { return ahead_.count(device_id) == 1; }
  /// A person's decision on those of them that are ahead: what they run is what is wanted there,
  /// and only releases above it reach them. One that is offline, or tries something, is left ahead.
  /// errors io; then those named before it in the audit log are accepted
  Result<v1::AcceptResult> accept(const std::vector<Subject>& devices, const std::string& by);
  Status came_online(const std::string& device_id, const std::string& name);
  Status went_offline(const std::string& device_id, const std::string& name);

  /// The whole of what the controller wants of it.
  Result<v1::Desired> desired_of(const std::string& device_id);
  /// It was sent. after: rollouts that waited for it count it as offered
  Status desired_sent(const std::string& device_id);
  /// Takes reports in one transaction; they may be acknowledged when it returns. A repeated one
  /// changes nothing.
  Status take_reports(std::span<const DeviceReport> reports);

  /// After a start of the controller: nobody is connected yet, and every rollout goes on.
  Status recover();

  /// Begins a rollout by plan.policy: its devices get their waves, those of the first are let in,
  /// and older rollouts of the app are superseded on them. `also` writes what must be kept together
  /// with it. out: as stored, with its number
  Result<rollout::Rollout> begin(rollout::Rollout plan, std::vector<Wish> wishes,
                                 const std::function<Status(const rollout::Rollout&)>& also);
  // What people say of a rollout, each in a transaction of its own; said again, it changes nothing.
  /// errors not_found | conflict (it has ended, is stopped, or takes its devices back already)
  Result<rollout::Rollout> abort(std::int64_t number, const std::string& by);
  Result<rollout::Rollout> pause(std::int64_t number, const std::string& by);
  Result<rollout::Rollout> resume(std::int64_t number, const std::string& by);
  /// Asks those that failed again, by the same gates: all, or the device of that name.
  /// errors also not_supported (an order)
  Result<rollout::Rollout> retry(std::int64_t number, const std::string& device,
                                 const std::string& by);
  /// A device gets what the fleet wants of its groups and labels, unless it had a newer word.
  /// Inside the caller's transaction.
  Status join(const Subject& device);
  /// The device has other labels: it leaves what does not name it any more and has not let it in,
  /// and joins what does. Inside the caller's transaction.
  Status relabelled(const Subject& device);
  /// Tells the device whether its windows are open: it came online, or has another time zone now.
  /// Inside the caller's transaction.
  Status look_at_windows(const std::string& device_id);
  /// An event that belongs to no rollout. Inside the caller's transaction.
  Status note(const std::string& kind, const std::string& text, const std::string& by,
              const std::string& device);
  /// Events that belong to no rollout, in a transaction of their own.
  Status tell(std::span<const v1::Event> events);
  /// Devices that the news concern get a Desired that says so. Inside the caller's transaction.
  Status announce(const News& news, const std::string& by);
  /// Deadlines, soaks, budgets with room again. Called every second.
  Status tick();
  /// Tells followers and devices. After the commit of a transaction that called join, note or
  /// announce.
  void committed();

  /// The release of the app's newest rollout that succeeded; 0 if there is none.
  Result<std::uint64_t> wanted_release(const std::string& app);
  Audit& audit() { return audit_; }
  std::int64_t wall_ms() const { return clock_.wall_ms(); }

 private:
  Status apply(std::int64_t number, const std::string& device_id, const rollout::Event& event);
  Status perform(const rollout::Step& step, const rollout::Action& action);
  Status want(const std::string& device_id, v1::DesiredApp desired);
  /// What of a rollout's step concerns values: those that did not do go back, those that do stay.
  Status follow_values(const rollout::Step& step, const rollout::Action& action);
  /// This device's values for the release that is wanted, as they are now.
  Status fill_values(const std::string& device_id, v1::DesiredApp& desired);
  Status want_no_more(const std::string& device_id, const std::string& app);
  /// What runs there is wanted, whatever was: this release, with the values that it has.
  Status stand_on(const std::string& device_id, std::uint64_t release, v1::DesiredApp& desired);
  /// A wish of its own, that no rollout asks after.
  static void leave_rollout(v1::DesiredApp& desired);
  Status changed(const std::string& device_id);
  /// It is there, and hears what is wanted of it.
  bool hears(const std::string& device_id) const {
    return is_online(device_id) && !is_ahead(device_id);
  }
  struct EndedWish {
    const std::string& device_id;
    const std::string& app;
    const std::string& attempt;
  };
  /// The newest wish stages something, and stands on that release without a word of its own to it.
  static bool stages_beside(const v1::DesiredApp& desired, std::uint64_t release) {
    return desired.stage_release() != 0 && release != 0 && desired.release() == release;
  }
  Status keep_running(const EndedWish& wish, std::uint64_t release);
  Status stage_beside(const std::string& device_id, const v1::AppStatus& status);
  Status take_back(const rollout::Step& step, const std::string& attempt);
  Status follow_course(const rollout::Rollout& rollout, const rollout::Action& action);
  /// Stores it and does what it says.
  Status follow_course(const rollout::Course& course);
  struct ReportingDevice {
    DeviceRow row;
    bool lasting = false;  // something that is worth a write
  };
  Status take_report(ReportingDevice& device, const v1::Report& report);
  Status tell_rollout(const rollout::Rollout& rollout, const std::string& kind,
                      const std::string& text, const v1::RolloutDevice* row);
  /// A transaction of its own, or a part of together()'s.
  Status change(const std::function<Status()>& work);

  // fleet_rollouts.cc
  enum class Superseded { waiting, all };
  Status supersede(const std::string& device_id, const rollout::Rollout& newer, Superseded which);
  Status add_device(rollout::Rollout& rollout, const Wish& wish, std::uint32_t wave);
  Status fill_order_values(v1::RolloutKind kind, const rollout::Before& before,
                           const std::string& device_id, v1::DesiredApp& desired);
  Result<rollout::Before> wanted_before(const std::string& device_id, const std::string& app);
  Status give_order(const rollout::Rollout& rollout, const Wish& wish);
  Result<rollout::Rollout> stored(std::int64_t number);
  Result<std::vector<std::string>> to_retry(const rollout::Rollout& rollout,
                                            const std::string& device);

  // fleet_ahead.cc
  Status remember_ahead();
  void remember_ahead_before();
  Result<std::string> ahead_text(const DeviceRow& row);
  Status check_ahead(const rollout::Rollout& plan, const std::vector<Wish>& wishes) const;
  Status accept_one(const DeviceRow& row, const std::string& by);
  Status want_what_runs(const DeviceRow& row);
  Status leave_old_rollouts(const DeviceRow& row);

  // fleet_members.cc
  Status join(const Subject& device, const rollout::Rollout& rollout);

  // fleet_waves.cc
  /// Lets in whose turn it is, of every rollout that something happened to.
  Status let_in_touched();
  Status let_in(std::int64_t number);
  Status let_in_device(const rollout::Rollout& rollout, const std::string& device_id);
  /// It was told something else of the app, by a rollout or not, and has not got there.
  Result<bool> is_under_way(const rollout::Rollout& rollout, const std::string& device_id);
  Status want_release(const rollout::Step& step);
  Status want_back(const rollout::Step& step, std::uint64_t release);
  Result<std::uint64_t> way_back(const rollout::Rollout& rollout, const rollout::Device& device);
  /// Steps one device, or all, with Halted.
  Status halt_device(std::int64_t number, const std::string& device_id);
  Status halt(std::int64_t number);
  Status close(const rollout::Rollout& rollout);

  // fleet_windows.cc
  /// Looks at the windows of a rollout's release for one device; a change goes to row and device.
  Status gate(std::int64_t number, const std::string& device_id);
  Status gate_all();
  /// True once a minute, if some device has windows to keep to.
  bool gates_due(std::int64_t now_ms);
  Status mark_holds(const std::string& device_id, v1::Desired& desired);

  Store& store_;
  Events& events_;
  proto::Clock& clock_;
  Audit audit_;
  std::set<std::string> online_;
  std::map<std::string, bool> moved_;    // who came or went in this transaction: online before it?
  std::map<std::string, std::uint64_t> ahead_;  // devices, and the generation that each obeys
  std::optional<std::map<std::string, std::uint64_t>> ahead_before_;  // this transaction
  std::set<std::string> dirty_;          // devices with another Desired in this transaction
  std::set<std::int64_t> touched_;       // rollouts that something happened to in it
  std::set<std::int64_t> unfinished_;    // rollouts that may let in more at once
  bool together_ = false;
  Windows windows_;
  DeclaredVars declared_;
  // Open rows of releases with windows, since this controller started: all that are online.
  std::set<std::pair<std::int64_t, std::string>> windowed_;
  std::int64_t gated_minute_ = 0;
};

}  // namespace controller
