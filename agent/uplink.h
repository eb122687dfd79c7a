// Uplink: a release of an app through which the device may reach its controller (`update.uplink`).
// Had the device a link before, it must have one again in that time, or the release is taken back.
// Only a link that was made since the ports changed hands counts: an older one may look alive for
// minutes after its last packet.
#pragma once

#include <optional>
#include <string>

#include "agent/app.h"
#include "proto/async.h"

namespace agent {

/// What AppRow::uplink is for a release that goes on trial now: its attempt, or "" when it owes no
/// link: the manifest does not ask for it, or the device has none to lose.
std::string uplink_owed(const App& app, const fleet::v1::AppManifest& manifest,
                        const std::string& attempt);

/// Whether the live release must still bring the link back.
bool owes_uplink(const App& app);

/// Looks for the link; the error is uplink_lost, when its time is over. That time is the release's
/// uptime since its confirm, over restarts of the agent and power cuts (a device that reboots
/// because it has no link would else never decide), but at least half a minute after each start,
/// for a network comes up later than its agent.
std::optional<proto::Error> tend_uplink(App& app, proto::Deadline& wake);

/// It owes no link any more. What cannot be stored is tried again with the next look.
void forget_uplink(App& app);

}  // namespace agent
