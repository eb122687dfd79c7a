// The warm spare: a second instance of the live release, with its ports down, that takes over when
// the live one ends or no longer answers (manifest: `restart.spare: warm`). It hides no crash: each
// end counts as before (RestartJudge), and the next spare waits as long as a restart would.
#pragma once

#include "agent/app.h"
#include "proto/async.h"

namespace agent {

/// One round: notes its end, starts the one that is wanted, stops one that is not.
/// `wake` becomes sooner if this wants to be called again before.
proto::awaitable<void> tend_spare(App& app, proto::Deadline& wake);

/// Makes the spare the live guest: its ports come up, published ports and their flows lead to it.
/// The one before is stopped if it lives. False if there is none that could: nothing changed.
bool take_over(App& app);

/// Has the spare stopped, if there is one, without waiting for its end.
void drop_spare(App& app);
/// The same, and waits for the end: its memory is free.
proto::awaitable<void> end_spare(App& app);

}  // namespace agent
