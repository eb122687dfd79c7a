#include "tests/bench/bench.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

extern char** environ;

namespace bench {

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void show(const std::string& row, const std::string& unit, const std::vector<Figure>& figures) {
  std::string json = "{\"row\":\"" + row + "\",\"unit\":\"" + unit + "\"";
  std::string ratios;
  char text[96];
  std::fprintf(stderr, "%-58s", row.c_str());
  const double ours = figures.empty() ? -1 : figures.front().value;
  for (const Figure& figure : figures) {
    if (figure.value < 0) continue;
    std::snprintf(text, sizeof text, ",\"%s\":%.3f", figure.name.c_str(), figure.value);
    json += text;
    std::fprintf(stderr, "  %s %.3f %s", figure.name.c_str(), figure.value, unit.c_str());
    if (&figure == &figures.front() || ours < 0 || figure.value <= 0) continue;
    std::snprintf(text, sizeof text, "%s\"%s\":%.3f", ratios.empty() ? "" : ",",
                  figure.name.c_str(), ours / figure.value);
    ratios += text;
    std::fprintf(stderr, " (%.2f of it)", ours / figure.value);
  }
  std::fprintf(stderr, "\n");
  std::printf("%s,\"ratio\":{%s}}\n", json.c_str(), ratios.c_str());
  std::fflush(stdout);
}

Process spawn(const Words& words, const std::vector<Passed>& files) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  for (const Passed& file : files) {
    ::posix_spawn_file_actions_adddup2(&actions, file.from, file.number);
  }
  ::posix_spawn_file_actions_addclose(&actions, ends[0]);
  ::posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  Process made;
  const int failed = ::posix_spawnp(&made.pid, arguments[0], &actions, nullptr, arguments.data(),
                                    environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  made.console = ends[0];
  if (failed != 0) made.pid = 0;
  return made;
}

bool wait_for_word(const Process& process) {
  char byte = 0;
  return ::read(process.console, &byte, 1) == 1;
}

int wait_for_end(Process& process) {
  int status = 0;
  ::waitpid(process.pid, &status, 0);
  ::close(process.console);
  return status;
}

void end(Process& process, int signal) {
  ::kill(process.pid, signal);
  wait_for_end(process);
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string number = std::to_string(pid);
  std::ifstream list("/proc/" + number + "/task/" + number + "/children");
  std::vector<pid_t> out;
  for (pid_t child = 0; list >> child;) out.push_back(child);
  return out;
}

}  // namespace bench
