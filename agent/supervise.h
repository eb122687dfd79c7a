// Supervise: keeps what is wanted running: restarts with back-off, judges crash loops and health,
// obeys stop, start, restart, remove and go back, and adopts guests that ran on without an agent.
// It never needs the controller: it works by what is stored.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "agent/app.h"
#include "proto/async.h"

namespace agent {

/// Runs one app until the agent stops. Guests run on after it.
proto::awaitable<void> run_app(App& app);

/// One round: notes ends, restarts, probes the live guest, reverts under watch, publishes ports.
/// Also called from the loops of an update, so that the live release is looked after in a trial.
/// Gives when it wants to be called again.
proto::awaitable<proto::Deadline> tick(App& app);

/// Ticks until `until` becomes true (then notify app.changed): looks after the live release while
/// an update waits for bytes.
proto::awaitable<void> keep_live(App& app, const bool& until);

/// Brings the app to `app.wish`: an update, an order, or nothing. Ends with the wish done, or with
/// a newer one there.
proto::awaitable<void> pursue(App& app);

/// Takes over what the launcher runs for this app, after a start of the agent.
/// errors launcher | timeout | io
proto::awaitable<proto::Status> adopt(App& app);

}  // namespace agent
