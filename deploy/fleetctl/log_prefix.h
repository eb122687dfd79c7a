// Which device a line of many consoles is of: its name in a column, and on a terminal in a colour
// of its own. The colours only tell neighbours apart; they mean nothing.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "deploy/fleetctl/terminal.h"

namespace fleetctl {

class LogPrefixes {
 public:
  /// in     terminal: borrowed, outlives this
  explicit LogPrefixes(const Terminal& terminal) : terminal_(terminal) {}

  /// A device that will come; the column is as wide as the longest name that is known.
  void expect(const std::string& device);
  /// "edge-1  | "
  std::string of(const std::string& device);

 private:
  const Terminal& terminal_;
  std::map<std::string, std::size_t> order_;  // device -> which colour
  std::size_t columns_ = 0;
};

}  // namespace fleetctl
