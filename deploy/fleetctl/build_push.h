// What push builds of a folder of sources before it signs.
#pragma once

#include <vector>

#include "deploy/fleetctl/build_sdk.h"
#include "deploy/fleetctl/draft.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

/// What the devices need of what the SDK makes: each of their CPUs, on every platform, so that a
/// device which joins later, or finds another monitor, finds its image too. A device that never
/// said what it is counts as this machine's CPU.
/// errors not_found (the SDK makes none for any of them)
proto::Result<std::vector<SdkTarget>> targets_for(const Sdk& sdk,
                                                  const fleet::v1::DeviceList& devices);

/// Builds the recipe's folder for these devices, into FOLDER/build.
/// errors targets_for's, build_images's
proto::Result<std::vector<proto::ImageSource>> build_for(Program& program, const Recipe& recipe,
                                                         const PushOptions& options,
                                                         const fleet::v1::DeviceList& devices);

}  // namespace fleetctl
