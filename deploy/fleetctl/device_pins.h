// The sealing keys of devices, as this machine first saw them: a controller that shows another one
// later could read what is sealed to it, so that is an error until a person takes it for good.
#pragma once

#include <set>
#include <string>

#include "deploy/fleetctl/home.h"
#include "fleet/v1/api.pb.h"
#include "proto/result.h"

namespace fleetctl {

/// The device's key, 32 bytes, pinned from now on.
/// in     accepted: names of devices whose other key a person takes for good
/// errors unavailable (it has told none yet) | unauthenticated (another one than was first seen:
///        names the way to accept it) | no_space | io
proto::Result<std::string> pinned_key(const Context& context,
                                      const fleet::v1::DeviceConfig& device,
                                      const std::set<std::string>& accepted);

}  // namespace fleetctl
