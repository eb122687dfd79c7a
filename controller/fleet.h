// The fleet: the shell around the pure rollout engine. It feeds rollout::step() with what happens
// to devices, and does what the steps say, in one transaction with their events; after the commit
// the devices whose Desired changed are told. It speaks to no network itself.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controller/events.h"
#include "controller/metadata.h"
#include "controller/rollout.h"
#include "controller/store.h"
#include "controller/windows.h"
#include "proto/async.h"

namespace controller {

/// One device of a rollout that begins, and what it is to want.
struct Wish {
  Subject device;
  v1::DesiredApp desired;  // attempt, rollout and deadline are set by begin()
};

/// A report of one device.
struct DeviceReport {
  std::string device_id;
  v1::Report report;
};

class Fleet {
 public:
  Fleet(Store& store, Events& events, proto::Clock& clock);
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Called after a commit for each device whose Desired is another now.
  std::function<void(const std::string& device_id)> desired_changed;

  bool is_online(const std::string& device_id) const { return online_.count(device_id) == 1; }
  std::size_t online_count() const { return online_.size(); }
  /// The device says which generation it obeys. One above ours is of a controller that this one's
  /// backup does not know: then ours rises above it, or the device would never hear us again.
  /// errors bad_argument (no generation that there can be)
  Status catch_up(const std::string& device_id, std::uint64_t applied);
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

  /// Begins a rollout: older ones of the app are superseded on its devices. `also` writes what must
  /// be kept together with it. out: as stored, with its number
  Result<rollout::Rollout> begin(rollout::Rollout plan, std::vector<Wish> wishes,
                                 const std::function<Status(const rollout::Rollout&)>& also);
  Result<rollout::Rollout> abort(std::int64_t number, const std::string& by);
  /// A new device gets what the fleet wants of its groups. Inside the caller's transaction.
  Status join(const Subject& device);
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
  /// Deadlines. Called every second.
  Status tick();
  /// Tells followers and devices. After the commit of a transaction that called join, note or
  /// announce.
  void committed();

  /// The release of the app's newest rollout that succeeded; 0 if there is none.
  Result<std::uint64_t> wanted_release(const std::string& app);

 private:
  Status apply(std::int64_t number, const std::string& device_id, const rollout::Event& event);
  Status perform(const rollout::Step& step, const rollout::Action& action);
  Status want(const std::string& device_id, v1::DesiredApp desired);
  Status want_no_more(const std::string& device_id, const std::string& app);
  Status changed(const std::string& device_id);
  struct EndedWish {
    const std::string& device_id;
    const std::string& app;
    const std::string& attempt;
  };
  Status keep_running(const EndedWish& wish, std::uint64_t release);
  Status take_back(const std::string& app, const rollout::Device& device);
  Status close(const rollout::Rollout& rollout);
  Status take_report(DeviceRow& row, const v1::Report& report);
  Status supersede(const std::string& device_id, const std::string& app, const std::string& by);
  Status add_device(rollout::Rollout& rollout, const Wish& wish);
  Status tell_rollout(const rollout::Rollout& rollout, const std::string& kind,
                      const std::string& text, const v1::RolloutDevice* row);
  Status finish(Store::Transaction& transaction, Status result);

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
  std::set<std::string> online_;
  std::set<std::string> dirty_;
  Windows windows_;
  // Open rows of releases with windows, since this controller started: all that are online.
  std::set<std::pair<std::int64_t, std::string>> windowed_;
  std::int64_t gated_minute_ = 0;
};

}  // namespace controller
