// CutTable: what was cut and how it ended, for people. It judges nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/trace.h"

namespace faults {

class CutTable {
 public:
  /// A story with the calls that were recorded of it: every place before, between and after them
  /// is cut.
  void begin(const std::string& story, const std::vector<Op>& ops);
  /// A state of that story that was begun anew: how far the story was, the release that it has
  /// after the cut (0: none), and whether all held.
  void add(const std::string& phase, std::uint64_t live, bool passed);
  /// To standard output.
  void print(const std::string& title) const;

 private:
  struct Row {
    std::string story;
    std::size_t cuts = 0;
    std::map<Call, std::size_t> calls;
    std::map<std::string, std::size_t> phases;
    std::map<std::uint64_t, std::size_t> lives;
    std::size_t states = 0;
    std::size_t failed = 0;
  };
  std::vector<Row> rows_;
};

}  // namespace faults
