// Access: what a token sees and changes. Its role says what kind of thing it may do, its groups to
// which devices; a token without groups is for the whole fleet. This is the one place that says
// what groups mean:
//   - Devices of other groups are not there for it: not in lists, counts, suggestions, events,
//     consoles, flight records; asked by name they are 404.
//   - A push or an order whose selector reaches a device outside is refused as a whole, with those
//     devices named, and what it begins never takes in another group's device later
//     (Rollout.within).
//   - A rollout that also reaches others' devices is shown with the own ones alone, and may not be
//     changed.
//   - Apps, releases, blobs and signed metadata are the fleet's: every token sees them, with counts
//     of its own devices. A deployer of groups may upload blobs, and an app's role (a yank) only
//     while every device that has the app is its own. Root and targets are not its to send.
//   - An admin of groups may remove their devices and make enrolment tokens for them.
//   - What is the whole fleet's alone is refused: tokens, audit log, metrics, online keys.
#pragma once

#include <string>
#include <vector>

#include "controller/api.h"
#include "controller/api_routes.h"

namespace controller {

/// Whether this token may use a route on what its path names. In front of every handler.
/// errors forbidden | not_found (a device or rollout that it does not see)
Status check_reach(Parts& parts, const Caller& caller, Reach reach,
                   const std::vector<std::string>& words);

/// The devices that it sees, by name.
Result<std::vector<Subject>> visible_devices(Parts& parts, const Caller& caller);

/// Those of them that the selector names. errors bad_argument | not_found (none), with what is near
Result<std::vector<Subject>> selected_devices(Parts& parts, const Caller& caller,
                                              const std::string& selector);

/// A group that new devices shall be in. errors forbidden
Status check_group(const Caller& caller, const std::string& group);
/// A signed role that concerns every device with the app. errors forbidden, which names devices
Status check_app_role(Parts& parts, const Caller& caller, const std::string& role);

/// Takes out of a rollout what it does not see. in/out rollout: with devices or without
Status narrow(Parts& parts, const Caller& caller, v1::Rollout& rollout);
/// False: the event is not its to see. What it may not see of one goes.
Result<bool> narrow(Parts& parts, const Caller& caller, v1::Event& event);

}  // namespace controller
