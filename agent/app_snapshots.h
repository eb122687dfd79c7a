// When volumes with `on_revert: restore` are copied, given back, and their copies dropped. A
// release that is left backwards (its trial failed, its watch took it back, the operator ordered
// it) leaves its volumes as they were before it was tried; whatever it wrote is gone with it.
#pragma once

#include <string>

#include "agent/app.h"

namespace agent {

/// To be called before a guest of `attempt` starts: copies of releases that were left backwards are
/// given back, others are dropped, its own stays. Costs nothing where there is no copy.
/// in     attempt: "" for none
/// errors conflict (a guest still has a volume) | io; then no guest may start
proto::awaitable<proto::Status> settle_snapshots(App& app, std::string attempt);

/// Copies the volumes of the release that goes on trial. No guest of the app runs.
/// errors as Snapshots::take, and those of settle_snapshots
proto::awaitable<proto::Status> take_snapshots(App& app, fleet::v1::AppManifest of,
                                               std::string attempt);

/// Drops the copies once nothing can go back to them: the watch and the fallback window are over.
proto::awaitable<void> tend_snapshots(App& app);

}  // namespace agent
