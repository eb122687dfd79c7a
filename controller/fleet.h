// Fleet: the shell around the pure rollout engine. It reads rows, steps them, writes them and does
// what the step says, in one transaction (Work). It decides nothing by itself.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/rollout.h"
#include "controller/work.h"
#include "proto/async.h"

namespace controller {

/// A device of a rollout that is about to begin, and what it is to be told.
struct Target {
  std::string id;
  std::string name;
  v1::DesiredApp desired;    // attempt, rollout and deadline are filled in by start()
  std::uint64_t live_release = 0;
  bool held = false;         // nothing can be asked of it: it is held, by `why`
  v1::Reason why;
};

class Fleet {
 public:
  /// All outlive it.
  Fleet(Store& store, Events& events, proto::Clock& clock)
      : store_(store), events_(events), clock_(clock) {}

  /// Begins a transaction. One at a time, and no co_await while it lives.
  Work work() { return Work(store_, events_, nudge_, clock_.wall_ms()); }
  /// Who sends the new Desired after a commit.
  void set_nudge(Work::Nudge nudge) { nudge_ = std::move(nudge); }

  // Who is connected. A restart of the controller begins with nobody.
  bool is_online(const std::string& id) const { return online_.count(id) == 1; }
  std::size_t online_count() const { return online_.size(); }
  Status came_online(Work& work, const std::string& id, const std::string& name);
  Status went_offline(Work& work, const std::string& id, const std::string& name);

  /// Begins a rollout: rows, what is wanted, events; older rollouts of the app on these devices are
  /// superseded. Online devices are offered it at the commit. Gives the rollout as it is then.
  Result<rollout::Rollout> start(Work& work, rollout::Rollout rollout,
                                 std::vector<Target> targets);
  /// One event of one device in one rollout.
  Status apply(Work& work, std::int64_t number, const std::string& device_id,
               const rollout::Event& event);
  /// Calls a rollout off. errors not_found | conflict (it has ended)
  Result<rollout::Rollout> abort(std::int64_t number, const std::string& by);
  /// After a start of the controller: nobody is connected yet, and every rollout goes on.
  Status recover();
  /// Verdicts for what is over its deadline. errors as Store
  Status tick();
  /// A device that is new here, or whose labels changed, joins what its selectors say is wanted.
  Status join(Work& work, const Subject& subject);
  /// What the fleet wants of this app: the release of the last push that succeeded; 0 if none.
  Result<std::uint64_t> wanted_release(const std::string& app);

 private:
  struct Pending {
    std::string device_id;
    rollout::Event event;
  };
  Status act(Work& work, rollout::Step& step, std::vector<Pending>& next);
  Status tell_row(Work& work, const rollout::Step& step, const rollout::Tell& tell);
  Status keep_running(Work& work, const std::string& device_id, const std::string& app,
                      std::uint64_t release);
  Status take_back(Work& work, const rollout::Rollout& rollout, const rollout::Device& device);
  Status close_rollout(Work& work, const rollout::Rollout& rollout);
  Status supersede(Work& work, const rollout::Rollout& by, const std::string& device_id);
  Status add_target(Work& work, rollout::Rollout& rollout, Target target,
                    std::vector<Pending>& next);

  Store& store_;
  Events& events_;
  proto::Clock& clock_;
  Work::Nudge nudge_;
  std::set<std::string> online_;
};

/// A rollout as the API shows it, without devices.
v1::Rollout to_api(const rollout::Rollout& rollout);

}  // namespace controller
