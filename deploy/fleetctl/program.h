// What every command gets: the terminal, the flags of all commands, and a way to the controller.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "deploy/fleetctl/api.h"
#include "deploy/fleetctl/exit_code.h"
#include "deploy/fleetctl/home.h"
#include "deploy/fleetctl/keystore.h"
#include "deploy/fleetctl/terminal.h"
#include "proto/result.h"

namespace fleetctl {

/// Made by main() before anything else; commands borrow it.
struct Program {
  Terminal& terminal;
  const std::atomic<bool>& interrupted;  // set by Ctrl-C
  std::string context_name;              // --context, else FLEET_CONTEXT, else "" = the current one
  bool json = false;                     // one document on stdout; followers: one per line

  /// --json: the one document; else nothing.
  void print_json(const google::protobuf::Message& message) const;
  /// One line of a follower.
  void print_json_line(const google::protobuf::Message& message) const;
};

/// A context with its connection. A resource.
struct Connection {
  Context context;
  std::unique_ptr<HttpClient> http;
  std::unique_ptr<Api> api;
  std::string host() const { return host_of(context.url); }
};

/// in     timeout_ms: of each request; 0: the client's own
/// errors not_found (not logged in) | as HttpClient::make. No request is made.
proto::Result<Connection> connect(const Program& program, std::uint64_t timeout_ms = 0);

using CommandResult = proto::Result<ExitCode>;

/// The flag, else FLEET_PASSPHRASE_FILE, else ask.
PassphraseSource passphrase_source(const std::string& flag);

/// Wall time, Unix ms.
std::uint64_t now_ms();

}  // namespace fleetctl
