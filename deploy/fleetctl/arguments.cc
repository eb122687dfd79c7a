#include "deploy/fleetctl/arguments.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>

#include "deploy/fleetctl/schema.h"
#include "proto/document.h"

namespace fleetctl {
namespace {

void build(CLI::App& app, Chosen& chosen, Keep& keep) {
  app.fallthrough();
  app.add_flag("--json", chosen.json,
               "One JSON document on stdout; what follows (push, logs -f, rollout show -w) prints "
               "one per line, the rollout last");
  app.add_option("--context", chosen.context, "Controller to talk to (FLEET_CONTEXT)");
  app.set_version_flag("--version", "fleetctl " FLEET_VERSION);
  app.footer("Files are in $FLEET_HOME (default ~/.config/unifleet).\n"
             "Exit codes: 0 ok, 1 error, 2 usage, 3 rollout failed, 4 controller not reached,\n"
             "5 --wait ran out, 130 detached by Ctrl-C.\n\nExample:\n"
             "  fleetctl push dns --to edge");
  add_setup_commands(app, chosen, keep);
  add_push_commands(app, chosen, keep);
  add_image_commands(app, chosen, keep);
  add_order_commands(app, chosen, keep);
  add_config_commands(app, chosen, keep);
  add_look_commands(app, chosen, keep);
  add_device_commands(app, chosen, keep);
  add_access_commands(app, chosen, keep);
}

void collect_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (!command->get_group().empty()) names.push_back(command->get_name());  // not the hidden ones
  }
}

// The deepest command that the words name, for hints.
std::string path_of(const CLI::App& app) {
  std::string path = "fleetctl";
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    path += " " + at->get_name();
  }
  return path;
}

Parsed usage_error(std::string what, const std::string& path) {
  Parsed parsed;
  parsed.print_only = true;
  parsed.code = ExitCode::usage;
  parsed.to_stderr = "error: " + std::move(what) + "\n  see:  " + path + " --help\n";
  return parsed;
}

Parsed no_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  collect_names(app, names);
  const std::string nearest = proto::nearest_word(word, names);
  return usage_error("there is no command '" + word + "'" +
                         (nearest.empty() ? "" : "; nearest: " + nearest), "fleetctl");
}

}  // namespace

void visit_commands(const CommandVisitor& visit) {
  CLI::App app("", "fleetctl");
  Chosen chosen;
  Keep keep;
  build(app, chosen, keep);
  const std::function<void(const CLI::App&, const std::string&)> walk =
      [&visit, &walk](const CLI::App& at, const std::string& path) {
        visit(at, path);
        for (const CLI::App* command : at.get_subcommands(nullptr)) {
          walk(*command, path.empty() ? command->get_name() : path + " " + command->get_name());
        }
      };
  walk(app, "");
}

Parsed parse_arguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with('-')) words.push_back(arguments[i]);
    if (arguments[i] == "--context") ++i;  // its value is no word of a command
  }
  Parsed parsed;
  const bool asks_help = std::any_of(arguments.begin(), arguments.end(), [](const auto& argument) {
    return argument == "--help" || argument == "-h";
  });
  if (words.size() > 1 && words.front() == "schema" && !asks_help) {
    // The words behind it name a command, which the parser would choose.
    const std::vector<std::string> named(words.begin() + 1, words.end());
    parsed.chosen.command = "schema";
    parsed.chosen.run = [named](Program& program) { return show_schema(program, named); };
    return parsed;
  }

  CLI::App app("Pushes signed unikernels to a fleet of devices, and watches them.", "fleetctl");
  auto keep = std::make_shared<Keep>();  // also owned by Chosen::run, whose flags it holds
  build(app, parsed.chosen, *keep);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    parsed.print_only = true;
    parsed.to_stdout = app.help();
    return parsed;
  } catch (const CLI::CallForVersion&) {
    parsed.print_only = true;
    parsed.to_stdout = "fleetctl " FLEET_VERSION "\n";
    return parsed;
  } catch (const CLI::ExtrasError& error) {
    if (app.get_subcommands().empty() && !words.empty()) return no_command(app, words.front());
    return usage_error(error.what(), path_of(app));
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what(), path_of(app));
  }
  if (!parsed.chosen.run) {
    if (app.get_subcommands().empty()) {
      parsed.print_only = true;
      parsed.code = ExitCode::usage;
      parsed.to_stderr = app.help();
      return parsed;
    }
    return usage_error("which " + path_of(app).substr(9) + "?", path_of(app));
  }
  parsed.chosen.run = [keep, run = std::move(parsed.chosen.run)](Program& program) {
    return run(program);
  };
  return parsed;
}

}  // namespace fleetctl
