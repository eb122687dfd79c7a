// The config volume: what the manifest says to one of our own guests, as a plain ustar archive that
// the guest finds as its initrd. The layout is images/abi/config_volume.h's.
#pragma once

#include <string>

#include "agent/monitors/monitor.h"
#include "proto/result.h"

namespace monitors {

/// The whole archive. Errors: bad_argument for a path that is not absolute, has `..` or does not
/// fit ustar; too_large beyond proto::kMaxFilesBytes.
proto::Result<std::string> config_volume(const GuestConfig& config);

/// A sealed, read-only memory file that holds `bytes`; offset 0. Errors: io.
proto::Result<agent::Fd> memory_file(const std::string& name, const std::string& bytes);

}  // namespace monitors
