// Tokens of operators: made, listed, revoked. A secret is shown once, and goes into a file if
// asked.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct TokenOptions {
  std::string name;
  std::string role;
  std::vector<std::string> groups;
  std::uint64_t ttl_ms = 0;   // 0: for ever
  std::string output;         // file, mode 600; else stdout
};

CommandResult create_token(Program& program, const TokenOptions& options);
CommandResult list_tokens(Program& program);
CommandResult revoke_token(Program& program, const std::string& name);
CommandResult show_whoami(Program& program);

std::vector<std::string> tokens_table(const fleet::v1::TokenList& list, std::uint64_t now_ms);
/// "deployer of edge, lab", "admin"
std::string right_text(const std::string& role,
                       const google::protobuf::RepeatedPtrField<std::string>& groups);

}  // namespace fleetctl
