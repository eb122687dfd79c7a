// The command line: what may be written, what it means, and an example for each command in its
// --help. Parsing does nothing yet: it chooses what to run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"

namespace CLI {
class App;
}

namespace fleetctl {

/// What the command line asks for.
struct Chosen {
  std::string command;  // "push", "keys init"
  std::function<CommandResult(Program&)> run;
  std::string context;  // --context
  bool json = false;
};

/// The answer to a command line: run something, or print something and end.
struct Parsed {
  Chosen chosen;
  bool print_only = false;
  std::string to_stdout;   // help, version, completion
  std::string to_stderr;   // a usage error: what, where, what to do
  ExitCode code = ExitCode::ok;
};

/// in     arguments: without the program's name
Parsed parse_arguments(const std::vector<std::string>& arguments);

/// Calls `visit` for fleetctl itself (path "") and for each command below it ("keys init").
using CommandVisitor = std::function<void(const CLI::App& app, const std::string& path)>;
void visit_commands(const CommandVisitor& visit);

// Each adds its commands. `keep` owns what their flags are read into.
using Keep = std::vector<std::shared_ptr<void>>;  // shared with the closures in Chosen::run
void add_push_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_image_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_order_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_device_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_config_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_look_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_access_commands(CLI::App& app, Chosen& chosen, Keep& keep);
void add_setup_commands(CLI::App& app, Chosen& chosen, Keep& keep);

}  // namespace fleetctl
