// When signed roles end, and what to do about it in time. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fleetctl {

/// A role and the end of its signature, Unix seconds; 0: nothing is published for it yet.
struct RoleExpiry {
  std::string role;  // "root", "apps.dns"
  std::int64_t expires = 0;
};

/// How long a role is still good: "21d", "expired". Both in Unix seconds.
std::string time_left(std::int64_t expires, std::int64_t now);

/// ota::needs_care; a role that is not used yet needs none.
bool needs_care(const RoleExpiry& role, std::int64_t now);

/// "root 312d   apps/dns 84d   timestamp renews itself, 23h"
std::string keys_line(const std::vector<RoleExpiry>& roles, std::int64_t now);

/// Those that need care, a line each with the command that mends it.
std::vector<std::string> expiry_notes(const std::vector<RoleExpiry>& roles, std::int64_t now);

}  // namespace fleetctl
