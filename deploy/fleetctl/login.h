// Ways in: login of an operator, enrolment tokens for devices.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"

namespace fleetctl {

struct LoginOptions {
  std::string url;
  std::string token_file;  // "-" = stdin
  std::string ca_file;
  std::string context;     // "" = the host's name
};

/// Proves token and CA at the controller, then keeps both; takes the trust root that it sees first.
/// after  nothing is kept when the proof fails
CommandResult login(Program& program, const LoginOptions& options);

struct EnrollOptions {
  std::string group;
  std::vector<std::string> labels;  // "site=lyon"
  std::uint32_t uses = 1;
  std::uint64_t ttl_ms = 24 * 3600 * 1000;
  std::string output;               // "" = stdout
};

/// Makes the bootstrap file of a device, mode 600. Its trust root is the one that this machine
/// trusts, whatever the controller says.
CommandResult enroll_token(Program& program, const EnrollOptions& options);

/// "site=lyon" -> {"site", "lyon"}. errors bad_argument
proto::Result<std::pair<std::string, std::string>> parse_label(const std::string& text);

}  // namespace fleetctl
