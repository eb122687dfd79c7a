// The rollout engine: pure functions from (rollout, device, event, now) to (rollout', device',
// actions). No clock, no store, no Asio; it never holds a list of devices: the rollout value is the
// plan and its counts per wave, a device value is its row, which knows its wave (DESIGN 7).
//
// How a release goes its way. Devices are let in wave by wave; until then a device wants what it
// wanted before. A wave has ended when none of its devices that are there waits or is under way;
// then it soaks, and the next one opens. Nobody is waited for who is offline: he joins on return,
// if his wave is open. A wave that nobody of was ever there is passed after the device deadline.
//
// What stops it, while failed = reverted, failed and held (offline is none of them):
//  - min_finished devices ended, and more than max_failed of all its devices failed: one of two is
//    no trend;
//  - the image is at fault, by the same fingerprint, on min(min_finished, devices of the open waves
//    that are not offline): a first wave of one stops at its first fault, hundreds at the fifth;
//  - a wave ended, somebody of it failed, and nobody of it is healthy.
// Then on_failure decides. revert: who took it or is on the way is ordered back (DESIGN 4), also
// who failed by his deadline and may still be at work; who cannot is held{no_fallback}. keep: who
// took it keeps it; nobody else is let in. pause: as keep, until a person resumes, retries or
// aborts; what failed until then stops it no more. At its end the first rule counts without
// min_finished, and whatever a person accepted.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "fleet/v1/api.pb.h"
#include "fleet/v1/link.pb.h"
#include "proto/waves.h"

namespace controller::rollout {

namespace v1 = fleet::v1;

/// No state of a device lasts longer without a verdict, unless the manifest says otherwise.
inline constexpr std::int64_t kDeviceDeadline_ms = proto::kDeviceDeadline_ms;
/// A rollout tells apart so many faults.
inline constexpr int kFaultsKept = 16;

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
  v1::RolloutPolicy policy;            // of a push: as proto::policy_of() gives it
  v1::RolloutCounts counts;            // of all waves
  std::vector<v1::RolloutWave> waves;  // empty: one wave, which is open
  std::uint32_t wave = 1;              // the newest that is open
  std::int64_t soak_until_ms = 0;      // 0: it does not soak
  std::uint32_t accepted_failures = 0; // a person went on in spite of so many
  std::string paused_by;
  std::string paused_why;
  std::string halted_why;              // nobody is let in any more
  std::vector<v1::RolloutFault> faults;
  std::string first_failure;  // "edge-1 reverted: no answer ...", for the verdict
  std::string verdict;        // set when ended
  v1::Strategy strategy = v1::ALL;
  bool require_all = false;
  std::vector<std::string> within;  // groups that it never leaves, whoever comes under the selector

  std::string id() const { return "r-" + std::to_string(number); }
};

/// Divides so many devices into the waves of the policy; the first one is open.
void lay_out(Rollout& rollout, std::uint64_t devices, std::int64_t now_ms);

/// The API's form of it, without its devices; the store keeps the same.
v1::Rollout to_api(const Rollout& rollout);
/// What to_api() tells, back.
void from_api(const v1::Rollout& from, Rollout& out);

/// What a device was wanted to do before it was let in, to go back to when it is called off.
struct Before {
  bool wanted = false;  // false: the app was not named
  std::uint64_t release = 0;
  v1::DesiredRun run = v1::RUN;
  std::uint64_t stage_release = 0;
  bool keep_values = false;  // with the values that it ran with, whatever was set
};

/// One device's row of one rollout: row.wave(), row.let_in() and row.going_back_to() are the
/// engine's.
struct Device {
  std::string id;
  std::string attempt;           // names the wish; echoed in reports
  std::int64_t deadline_ms = 0;  // Unix ms of the verdict if nothing more is heard; 0: none
  bool ended = false;            // it needs nothing more from its rollout
  Before before;
  v1::RolloutDevice row;         // name, state, online, what it said
};

// What can happen to a device of a rollout.
struct Joined {};   // the row is new; `row.online` says whether it is there
struct LetIn {      // its turn has come: may_let_in() said so, or it is an order's
  std::string attempt;
  Before before;
};
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
struct Halted {     // the rollout is above its thresholds, or ended badly
  std::string attempt;    // of the wish to go back
  std::uint64_t to = 0;   // the release that it can go back to; 0: none is known
  bool wish_stands = true;  // it still wants what this rollout told it
};
struct Retried {};  // a person wants it asked again
using Event = std::variant<Joined, LetIn, Offered, Online, Offline, Reported, DeadlinePassed, Gated,
                           Superseded, Aborted, Halted, Retried>;

// What the caller does after it, in this order, in the same transaction.
struct Want {};            // write the rollout's wish for this device, and send it
struct Offer {};           // send the device its Desired
struct GoBack {            // want the release that it has in its other slot, by the row's attempt
  std::uint64_t release = 0;
};
struct KeepRunning {       // the wish ended: want what runs, so that nobody tries it again
  std::uint64_t release = 0;  // 0: nothing runs, the app is named no more
};
struct TakeBack {          // want again what was wanted before
  std::string attempt;     // whose wish is taken back; a newer one stands
};
struct Tell {              // an event for whoever follows
  std::string kind;        // "device.reported"
  std::string text;
  bool of_device = true;
};
struct Halt {};            // step each of its devices with Halted, then settle()
struct Ended {};           // the rollout has its verdict now
using Action = std::variant<Want, Offer, GoBack, KeepRunning, TakeBack, Tell, Halt, Ended>;

struct Step {
  Rollout rollout;
  Device device;
  std::vector<Action> actions;
};

/// One event of one device. Repeating an event changes nothing. A rollout that has ended keeps its
/// verdict; its late devices still move, and its counts with them.
/// in     device.row.state: WAITING for a new row
Step step(Rollout rollout, Device device, const Event& event, std::int64_t now_ms);

/// What the course of the whole rollout is after all that.
struct Course {
  Rollout rollout;
  std::vector<Action> actions;  // Tell, Halt, Ended
};
/// Called now and then: opens a wave that has soaked, passes one that nobody of was there, ends a
/// rollout of which no device was ever reached. Repeated, it changes nothing.
Course tick(Rollout rollout, std::int64_t now_ms);
/// After each device was stepped with Halted or Retried.
Course settle(Rollout rollout, std::int64_t now_ms);
/// The selector does not name the device any more, and it was not let in: it is none of this
/// rollout's, and its row goes.
Course leave(Rollout rollout, const Device& device, std::int64_t now_ms);

/// Whether anybody may be let in to it now.
bool lets_in(const Rollout& rollout);
/// Whether the device's turn has come. `row.online`, its wave, and the rollout itself say so; the
/// caller asks its budget (max_unavailable) beside it.
bool may_let_in(const Rollout& rollout, const Device& device);

// A person's word. Each is repeatable: what is so already stays as it is.
/// in     rollout: running
Course pause(Rollout rollout, const std::string& by, std::int64_t now_ms);
/// What failed until now is accepted: only more of it stops the rollout again. Its verdict counts
/// all.
/// in     rollout: paused
Course resume(Rollout rollout, const std::string& by, std::int64_t now_ms);
/// One that failed goes on; one that went well stays so, whatever its retried devices do.
/// in     rollout: neither reverting, aborted nor superseded
Course reopen(Rollout rollout, const std::string& by, std::int64_t now_ms);
/// The rollout was called off: it ends at once. The caller then steps each of its devices with
/// Aborted, which takes the unfinished ones back.
Rollout abort(Rollout rollout, const std::string& by, std::int64_t now_ms);

/// It is under way: running, paused or reverting.
bool is_under_way(v1::RolloutState state);
/// A device in this state needs nothing more from a rollout of this kind.
bool has_ended(v1::RolloutKind kind, v1::DeviceState state);
/// Whether a rollout of this kind brings a release to devices, which run it from then on.
bool is_release(v1::RolloutKind kind);
/// Whether devices are let in to it by waves and budgets: releases and what is only staged. Orders
/// reach everybody at once.
bool has_waves(v1::RolloutKind kind);
/// The state that this kind of rollout wants.
bool is_success(v1::RolloutKind kind, v1::DeviceState state);
/// Neither that, nor superseded, but an end.
bool is_failure(v1::RolloutKind kind, v1::DeviceState state);
/// "healthy", "reverted": the words of API, CLI and dashboard.
const char* word(v1::DeviceState state);
const char* word(v1::RolloutState state);
/// "push", "stop"
const char* word(v1::RolloutKind kind);

}  // namespace controller::rollout
