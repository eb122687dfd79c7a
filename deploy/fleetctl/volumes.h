// volumes list: what apps keep on devices. A volume comes to be by the push of a manifest that
// names it: what a device gives away of its disk is signed, as everything else that it does.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct VolumeFilter {
  std::string app;       // "": all
  std::string selector;  // --to; "": all
};
CommandResult list_volumes(Program& program, const VolumeFilter& filter);

/// What `volumes create` says: how a volume is made.
proto::Error volumes_are_pushed();

std::vector<std::string> volumes_table(const fleet::v1::DeviceList& list, const std::string& app);
/// {"volumes": [{"device", "app", "name", "size_bytes", ...}]}
std::string volumes_json(const fleet::v1::DeviceList& list, const std::string& app);

}  // namespace fleetctl
