// fleetctl: the operator's hand. Wires the parts, runs one command, ends with UX.md's exit codes.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "deploy/fleetctl/arguments.h"
#include "deploy/fleetctl/program.h"

namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

extern "C" void on_interrupt(int) { interrupted.store(true); }

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // a second Ctrl-C ends at once
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // `fleetctl ... | head` is no crash
}

int run(const std::vector<std::string>& arguments) {
  using namespace fleetctl;
  const Parsed parsed = parse_arguments(arguments);
  if (parsed.print_only) {
    std::cout << parsed.to_stdout << std::flush;
    std::cerr << parsed.to_stderr << std::flush;
    return static_cast<int>(parsed.code);
  }
  catch_interrupts();
  Terminal terminal(std::cout, std::cerr, Terminal::abilities_of_process());
  const char* context = std::getenv("FLEET_CONTEXT");
  Program program{terminal, interrupted,
                  !parsed.chosen.context.empty() ? parsed.chosen.context
                                                 : std::string(context != nullptr ? context : ""),
                  parsed.chosen.json};
  const CommandResult result = parsed.chosen.run(program);
  if (result) return static_cast<int>(*result);
  if (result.error().code != proto::Code::cancelled) terminal.error(result.error());
  return static_cast<int>(exit_code_of(result.error()));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    // Library exceptions stop at their fences; what comes here is out of memory or a mistake of
    // ours.
    std::fprintf(stderr, "error: fleetctl failed: %s\n", error.what());
    return 1;
  }
}
