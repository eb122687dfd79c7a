#include "deploy/fleetctl/program.h"

#include <chrono>
#include <cstdlib>

#include "proto/json.h"

namespace fleetctl {

void Program::print_json(const google::protobuf::Message& message) const {
  if (const auto text = proto::to_json(message, {.pretty = true})) terminal.line(*text);
}

void Program::print_json_line(const google::protobuf::Message& message) const {
  if (const auto text = proto::to_json(message)) terminal.line(*text);
}

proto::Result<Connection> connect(const Program& program, std::uint64_t timeout_ms) {
  TRY(const Home home, Home::find());
  TRY(Context context, home.context(program.context_name));
  TRY(ota::Secret token, read_secret_file(context.token_file(), "the token"));
  HttpClient::Options options{.base_url = context.url,
                              .ca_file = context.ca_file(),
                              .token = std::move(token),
                              .interrupted = &program.interrupted};
  if (timeout_ms != 0) options.timeout_ms = timeout_ms;
  TRY(auto http, HttpClient::make(std::move(options)));
  auto api = std::make_unique<Api>(*http);
  return Connection{std::move(context), std::move(http), std::move(api)};
}

PassphraseSource passphrase_source(const std::string& flag) {
  if (!flag.empty()) return {flag};
  const char* file = std::getenv("FLEET_PASSPHRASE_FILE");
  return {file != nullptr ? file : ""};
}

std::uint64_t now_ms() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch()).count());
}

}  // namespace fleetctl
