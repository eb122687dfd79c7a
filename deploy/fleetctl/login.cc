#include "deploy/fleetctl/login.h"

#include <filesystem>

#include "deploy/fleetctl/text.h"
#include "deploy/fleetctl/trust.h"
#include "ota/metadata.h"
#include "proto/json.h"
#include "proto/limits.h"
#include "proto/units.h"

namespace fleetctl {
namespace {

constexpr std::size_t kMaxCaBytes = 64 * 1024;

// Takes the first root that is seen. Said aloud: from here on only its successors count.
proto::Status take_root(Program& program, const Context& context, Api& api) {
  TRY(const auto trust, Trust::open(context, api));
  if (trust->has_root()) return trust->refresh();
  auto root = api.metadata("1.root.json", proto::kMaxRootBytes);
  if (!root && root.error().code == proto::Code::not_found) {
    program.terminal.note("no signing keys there yet; make them:  "
                          "fleetctl keys init --second-copy DIR");
    return {};
  }
  if (!root) return root.error();
  TRY_VOID(trust->bootstrap(*root));
  TRY_VOID(trust->refresh());
  std::vector<std::string> ids;
  for (const std::string& id : trust->trusted().root().value.roles.at("root").keyids) {
    ids.push_back(short_digest(id));
  }
  program.terminal.note("trust root " +
                        std::to_string(trust->trusted().root().value.header.version) +
                        ", seen for the first time: key " + join(ids, ", ") +
                        " (compare with `fleetctl keys list` of a colleague)");
  return {};
}

}  // namespace

CommandResult login(Program& program, const LoginOptions& options) {
  TRY(const Home home, Home::find());
  TRY(const std::string ca, read_small_file(options.ca_file, kMaxCaBytes));
  TRY(ota::Secret token, read_secret_file(options.token_file, "the token"));
  std::string url = options.url;
  while (url.ends_with('/')) url.pop_back();
  const ota::Secret kept(token.view());
  TRY(const auto http, HttpClient::make({.base_url = url,
                                         .ca_file = options.ca_file,
                                         .token = std::move(token),
                                         .interrupted = &program.interrupted}));
  Api api(*http);
  TRY(const fleet::v1::Whoami who, api.whoami());
  const std::string name = options.context.empty() ? host_of(url) : options.context;
  TRY(const Context context,
      home.save({.name = name, .url = url, .ca_pem = ca, .token = kept.view()}));
  if (program.json) {
    program.print_json(who);
  } else {
    program.terminal.line("Logged in to " + url + " as " + visible(who.name()) + " (" +
                          visible(who.role()) + "), context " + context.name);
  }
  TRY_VOID(take_root(program, context, api));
  return ExitCode::ok;
}

proto::Result<std::pair<std::string, std::string>> parse_label(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return proto::Error{proto::Code::bad_argument,
                        "'" + text + "' is no label; write KEY=VALUE, like site=lyon", {}};
  }
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

CommandResult enroll_token(Program& program, const EnrollOptions& options) {
  fleet::v1::EnrollTokenRequest request;
  request.set_group(options.group);
  request.set_uses(options.uses);
  request.set_ttl_ms(options.ttl_ms);
  for (const std::string& text : options.labels) {
    TRY(const auto label, parse_label(text));
    (*request.mutable_labels())[label.first] = label.second;
  }
  TRY(const Connection connection, connect(program));
  TRY(const auto trust, Trust::open(connection.context, *connection.api));
  TRY_VOID(trust->refresh());
  TRY(const std::string root, trust->root_bytes());
  TRY(fleet::v1::EnrollToken token, connection.api->enroll_token(request));
  token.mutable_bootstrap()->set_tuf_root(root);
  TRY(const std::string text, proto::to_json(token.bootstrap(), {.pretty = true}));
  if (options.output.empty()) {
    program.terminal.line(text);
    return ExitCode::ok;
  }
  TRY_VOID(write_private_file(options.output, text + "\n"));
  if (program.json) {
    // The secret is in the file; it is not told a second time.
    token.mutable_bootstrap()->clear_token();
    program.print_json(token);
    return ExitCode::ok;
  }
  program.terminal.line(options.output + "  good for " + count_text(options.uses, "device") +
                        ", for " + proto::format_duration_ms(options.ttl_ms) +
                        "; holds a one-time secret: copy it, do not mail it");
  program.terminal.line("  on the device:  sudo fleet-agent enroll --bootstrap " +
                        std::filesystem::path(options.output).filename().string());
  return ExitCode::ok;
}

}  // namespace fleetctl
