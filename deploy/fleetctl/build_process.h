// Runs compilers: argument vectors, no shell. The only file of fleetctl that starts a program.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "proto/result.h"

namespace fleetctl {

/// A program of PATH with its arguments, and the file that it is about, for the progress.
struct Command {
  std::vector<std::string> words;  // the first is the program's path
  std::string about;
};

struct Finished {
  bool good = false;   // it ended with 0
  std::string said;    // what it wrote to stdout and stderr, at most 1 MiB
};

/// The whole path of a program in PATH; "" = it is not there.
std::string find_program(const std::string& name);

/// Runs all of them, as many at once as there are CPUs, and waits. The first that fails lets no
/// further one begin; its place and those before it tell what was said.
/// in     on_start: called with each command and its number as it begins
/// errors start_failed (a program that cannot be started) | cancelled (interrupted: all are ended)
/// out    as many as were begun, in their order
proto::Result<std::vector<Finished>> run_commands(
    const std::vector<Command>& commands, const std::atomic<bool>& interrupted,
    const std::function<void(const Command&, std::size_t)>& on_start);

}  // namespace fleetctl
