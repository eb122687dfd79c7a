// The rollout engine: pure functions from (rollout, device, event, now) to (rollout', device',
// actions). No clock, no store, no Asio; it never holds a list of devices: the rollout value is the
// plan and its counts, a device value is its row (DESIGN 7).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "fleet/v1/api.pb.h"
#include "fleet/v1/link.pb.h"

namespace controller::rollout {

namespace v1 = fleet::v1;

/// No state of a device lasts longer without a verdict, unless the manifest says otherwise.
inline constexpr std::int64_t kDeviceDeadline_ms = 10 * 60 * 1000;

/// The plan and the counts of one rollout. Times are Unix ms.
struct Rollout {
  std::int64_t number = 0;  // shown as r-N
  v1::RolloutKind kind = v1::KIND_PUSH;
  std::string app;
  std::uint64_t release = 0;           // push: what is pushed; orders: what ran, for people
  std::uint64_t previous_release = 0;  // what the fleet wanted before
  std::string selector;
  std::string by;
  v1::RolloutState state = v1::ROLLOUT_RUNNING;
  std::int64_t created_ms = 0;
  std::int64_t ended_ms = 0;
  std::int64_t device_deadline_ms = kDeviceDeadline_ms;
  v1::RolloutCounts counts;
  std::string first_failure;  // "edge-1 reverted: no answer ...", for the verdict
  std::string verdict;        // set when ended
  v1::Strategy strategy = v1::ALL;
  bool require_all = false;

  std::string id() const { return "r-" + std::to_string(number); }
};

/// The API's form of it, without its devices; the store keeps the same.
v1::Rollout to_api(const Rollout& rollout);

/// What a device was wanted to do before this rollout, to go back to when it is called off.
struct Before {
  bool wanted = false;  // false: the app was not named
  std::uint64_t release = 0;
  v1::DesiredRun run = v1::RUN;
};

/// One device's row of one rollout.
struct Device {
  std::string id;
  std::string attempt;           // names the wish; echoed in reports
  std::int64_t deadline_ms = 0;  // Unix ms of the verdict if nothing more is heard; 0: none
  Before before;
  v1::RolloutDevice row;         // name, state, online, what it said
};

// What can happen to a device of a rollout.
struct Joined {};   // the row is new; `row.online` says whether it is there
struct Offered {};  // the Desired with this attempt was sent
struct Online {};
struct Offline {};
struct Reported {
  v1::Report report;
};
struct DeadlinePassed {};
struct Gated {    // a window of the release closed or opened there
  bool hold_fetch = false;
  bool hold_arm = false;
  std::string text;  // why it waits, "" when it may go on
};
struct Superseded {
  std::string by;  // "r-8"
};
struct Aborted {
  std::string by;  // who
};
using Event = std::variant<Joined, Offered, Online, Offline, Reported, DeadlinePassed, Gated,
                           Superseded, Aborted>;

// What the caller does after it, in this order, in the same transaction.
struct Offer {};           // send the device its Desired
struct KeepRunning {       // the wish ended badly: want what runs, so that nobody tries it again
  std::uint64_t release = 0;  // 0: nothing runs, the app is named no more
};
struct TakeBack {};        // want again what was wanted before
struct Tell {              // an event for whoever follows
  std::string kind;        // "device.reported"
  std::string text;
};
struct Ended {};           // the rollout has its verdict now
using Action = std::variant<Offer, KeepRunning, TakeBack, Tell, Ended>;

struct Step {
  Rollout rollout;
  Device device;
  std::vector<Action> actions;
};

/// One event of one device. Repeating an event changes nothing. A rollout that has ended keeps its
/// verdict; its late devices still move, and its counts with them.
/// in     device.row.state: WAITING for a new row
Step step(Rollout rollout, Device device, const Event& event, std::int64_t now_ms);

struct TickStep {
  Rollout rollout;
  bool ended = false;
};
/// Ends a rollout of which no device was ever reached, once its deadline is over.
TickStep tick(Rollout rollout, std::int64_t now_ms);

/// The rollout was called off: it ends at once. The caller then steps each of its devices with
/// Aborted, which takes the unfinished ones back.
Rollout abort(Rollout rollout, const std::string& by, std::int64_t now_ms);

/// A device in this state needs nothing more from its rollout.
bool has_ended(v1::DeviceState state);
/// Whether a rollout of this kind brings a release to devices.
bool is_release(v1::RolloutKind kind);
/// The state that this kind of rollout wants.
bool is_success(v1::RolloutKind kind, v1::DeviceState state);
/// "healthy", "reverted": the words of API, CLI and dashboard.
const char* word(v1::DeviceState state);
const char* word(v1::RolloutState state);
/// "push", "stop"
const char* word(v1::RolloutKind kind);

}  // namespace controller::rollout
