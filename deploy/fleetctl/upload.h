// Brings the blobs of a release to the controller, those that it does not have yet.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/draft.h"
#include "deploy/fleetctl/program.h"

namespace fleetctl {

/// in     manifest: the signed manifest's bytes, one more blob
/// errors bad_digest: a file changed since it was hashed | not_found | io | the controller's
proto::Status upload_missing(const Program& program, Api& api,
                             const std::vector<Payload>& payloads, const std::string& manifest);

/// "Uploading 1.2 MiB  ====------  40%"
std::string upload_line(std::uint64_t sent_bytes, std::uint64_t all_bytes);

}  // namespace fleetctl
