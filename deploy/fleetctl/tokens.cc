#include "deploy/fleetctl/tokens.h"

#include "deploy/fleetctl/table.h"
#include "deploy/fleetctl/text.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

using fleet::v1::Token;

std::string until_text(std::uint64_t expires_ms, std::uint64_t now_ms) {
  if (expires_ms == 0) return "for ever";
  return expires_ms > now_ms ? "for " + age_text(expires_ms - now_ms) : "expired";
}

std::string groups_text(const google::protobuf::RepeatedPtrField<std::string>& groups) {
  std::vector<std::string> names;
  for (const std::string& group : groups) names.push_back(visible(group));
  return join(names, ", ");
}

}  // namespace

std::string right_text(const std::string& role,
                       const google::protobuf::RepeatedPtrField<std::string>& groups) {
  return visible(role) + (groups.empty() ? "" : " of " + groups_text(groups));
}

std::vector<std::string> tokens_table(const fleet::v1::TokenList& list, std::uint64_t now_ms) {
  Table table({"NAME", "ROLE", "GROUPS", "GOOD", "AGE", "BY"});
  for (const Token& token : list.tokens()) {
    table.add({visible(token.name()), visible(token.role()),
               token.groups().empty() ? "the whole fleet" : groups_text(token.groups()),
               until_text(token.expires_ms(), now_ms),
               age_text(now_ms > token.created_ms() ? now_ms - token.created_ms() : 0),
               token.by().empty() ? "-" : visible(token.by())});
  }
  return table.lines();
}

CommandResult create_token(Program& program, const TokenOptions& options) {
  fleet::v1::TokenRequest request;
  request.set_name(options.name);
  request.set_role(options.role);
  request.set_ttl_ms(options.ttl_ms);
  for (const std::string& group : options.groups) request.add_groups(group);
  TRY(const Connection connection, connect(program));
  TRY(Token token, connection.api->create_token(request));
  const std::string secret = token.secret();
  if (!options.output.empty()) {
    const proto::Status written = write_private_file(options.output, secret + "\n");
    if (!written) {
      // Nobody holds its secret: it must not stay.
      TRY_VOID(connection.api->revoke_token(options.name));
      return written.error();
    }
    token.clear_secret();
  }
  if (program.json) {
    program.print_json(token);
    return ExitCode::ok;
  }
  const std::string what = visible(token.name()) + " is " +
                           right_text(token.role(), token.groups()) + ", good " +
                           until_text(token.expires_ms(), now_ms());
  if (options.output.empty()) {
    program.terminal.note(what + "; its secret, shown this once:");
    program.terminal.line(secret);
    return ExitCode::ok;
  }
  program.terminal.line(options.output + "  " + what);
  program.terminal.line("  log in with it:  fleetctl login " + connection.context.url +
                        " --token-file " + options.output + " --ca ca.pem");
  return ExitCode::ok;
}

CommandResult list_tokens(Program& program) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::TokenList list, connection.api->tokens());
  program.json ? program.print_json(list) : program.terminal.lines(tokens_table(list, now_ms()));
  return ExitCode::ok;
}

CommandResult revoke_token(Program& program, const std::string& name) {
  TRY(const Connection connection, connect(program));
  TRY_VOID(connection.api->revoke_token(name));
  if (program.json) {
    program.terminal.line("{\"revoked\":true}");
  } else {
    program.terminal.line("Token " + visible(name) + " is good no more.");
  }
  return ExitCode::ok;
}

CommandResult show_whoami(Program& program) {
  TRY(const Connection connection, connect(program));
  TRY(const fleet::v1::Whoami who, connection.api->whoami());
  if (program.json) {
    program.print_json(who);
    return ExitCode::ok;
  }
  program.terminal.line(visible(who.name()) + "  " + right_text(who.role(), who.groups()) +
                        ", good " + until_text(who.expires_ms(), now_ms()) + "  on " +
                        connection.host());
  return ExitCode::ok;
}

}  // namespace fleetctl
