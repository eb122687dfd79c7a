// What the files that add commands share: flags that live as long as the closure that runs a
// command, examples, durations.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "deploy/fleetctl/arguments.h"

namespace fleetctl {

template <typename Options>
Options& keep_options(Keep& keep) {
  auto options = std::make_shared<Options>();  // also owned by the closure that runs the command
  keep.push_back(options);
  return *options;
}

/// Says what to run when this command is the one.
void runs(CLI::App* command, Chosen& chosen, std::function<CommandResult(Program&)> run);

void example(CLI::App* command, const std::string& lines);

/// A duration like 30m; anything else is a usage error that names the unit.
CLI::Option* add_duration(CLI::App* command, const std::string& flag, std::uint64_t& into_ms,
                          const std::string& help);

/// --wait, --detach and --require-all of what is followed.
void add_follow(CLI::App* command, std::uint64_t& wait_ms, bool& detach, bool& require_all);

}  // namespace fleetctl
