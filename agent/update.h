// Update: one app from its running release to a wanted one, and back by itself if that is no good.
// The way of a push on the device (DESIGN 2). It never leaves a device without the release that
// worked: the old instance is touched only where the manifest allows no other handover.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "agent/app.h"

namespace agent {

/// Brings the app to `app.wish`, or resumes the trial of it that is on. Takes the app's coroutine
/// for as long as that lasts. Ends early, without a verdict, when the agent stops.
/// after  a report says what came of it; the wish is done, or a newer one is there; blobs that
///        nothing pins any more are left to the caller
proto::awaitable<void> run_update(App& app);

/// Takes a trial or candidate back whose wish is no longer there.
proto::awaitable<void> supersede(App& app);

}  // namespace agent
