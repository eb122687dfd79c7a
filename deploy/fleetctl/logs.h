// The console of guests: what the controller kept, and what comes. Foreign bytes: shown as text
// only, so that no guest can move a cursor, colour a line or forge another device's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct LogOptions {
  std::string app;
  std::string device;          // "" = every device of the selector
  std::string selector;        // --to; "" = all
  std::uint64_t release = 0;   // 0 = every release that is kept
  bool follow = false;
};
CommandResult show_logs(Program& program, const LogOptions& options);

/// Pieces of consoles -> whole lines. Pieces may overlap or come twice; a gap is said.
class LogLines {
 public:
  /// in     prefix: what stands in front of a device's lines
  using Prefix = std::function<std::string(const std::string& device)>;
  explicit LogLines(Prefix prefix) : prefix_(std::move(prefix)) {}

  /// The lines that the piece ends, each made visible, with its device's prefix.
  std::vector<std::string> feed(const fleet::v1::LogEvent& event);
  /// What has no line end yet.
  std::vector<std::string> rest();

 private:
  struct Console {
    std::string device;
    std::uint64_t next_offset = 0;
    bool started = false;
    std::string line;
  };
  std::string shown(const Console& console) const;

  Prefix prefix_;
  std::map<std::pair<std::string, std::string>, Console> consoles_;  // device, instance
};

}  // namespace fleetctl
