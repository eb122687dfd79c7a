// The audit log's hash chain: what the controller writes and fleetctl recomputes. An entry's hash
// covers the hash before it and every other field, so that no entry can be changed, moved or taken
// out without changing all that follow.
#pragma once

#include <string>
#include <string_view>

#include "fleet/v1/api.pb.h"

namespace ota {

/// What stands for the hash before the first entry.
inline constexpr std::string_view kAuditStart =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// SHA-256, as 64 hex digits, over `previous` and the fields in the order of their tags, each as
/// "length:bytes,", numbers in decimal. `entry.hash` is not looked at.
/// in     previous: the hash of the entry before it, or kAuditStart
std::string audit_hash(std::string_view previous, const fleet::v1::AuditEntry& entry);

}  // namespace ota
