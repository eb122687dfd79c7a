// The controller's data directory as one file, and back. The file holds every key of the
// controller, so it is its owner's alone; apps cannot be signed with it. What is made again by
// itself (deltas, uploads that were not ended) is not in it.
#pragma once

#include <cstdint>
#include <string>

#include "proto/result.h"

namespace controller {

/// Of a controller that runs, or does not. The database first, then the blobs that it names.
/// errors not_found (no controller there) | already_exists (the file) | no_space | io; then there
///        is no file
/// after  survives power loss
proto::Status back_up(const std::string& data_dir, const std::string& file, std::int64_t wall_ms);

/// Into a folder that is empty or not there.
/// errors bad_argument (no backup, damaged, or names what is no file of a controller) |
///        already_exists (the folder holds something) | not_supported (made by a newer controller)
///        | no_space | io; then the folder is as it was
/// after  survives power loss; cut anywhere, serve says that there is no controller
proto::Status restore(const std::string& file, const std::string& data_dir);

}  // namespace controller
