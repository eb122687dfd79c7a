// What the benches share: rows of figures with ratios, and programs started and timed one after the
// other. A bench never asserts a time: machines are noisy, so contenders of a row take turns in one
// run and only their ratio means something.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

double ms_since(Clock::time_point begin);
double median(std::vector<double> values);

struct Figure {
  std::string name;  // "fleet-spt", "solo5-spt"
  double value = -1;  // negative: it could not be measured, and is left out
};
/// A line of JSON to stdout and one of a table to stderr. The first figure is ours; each further
/// one is a peer's, with how many times the peer's ours is.
void show(const std::string& row, const std::string& unit, const std::vector<Figure>& figures);

/// A descriptor that a program is to have under another number.
struct Passed {
  int from = -1;
  int number = -1;
};

/// One program, its stdout in a pipe. pid 0: it could not be started.
struct Process {
  pid_t pid = 0;
  int console = -1;
};
Process spawn(const Words& words, const std::vector<Passed>& files = {});
/// Until the first console byte; false: it ended without one.
bool wait_for_word(const Process& process);
/// The wait status; closes the console.
int wait_for_end(Process& process);
/// Kills it, waits.
void end(Process& process, int signal);
std::vector<pid_t> children_of(pid_t pid);

}  // namespace bench
