// Bypasses: what joins two bridges of the host while no instance forwards between them, for who has
// it so (`on_down: bypass`). A cable is there or it is not; it is never there beside an instance
// that forwards, for that would be a loop.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/launcher/conf.h"
#include "agent/launcher/links.h"

namespace launcher {

/// The name of an end of a cable, by which the next launcher finds it: "fltb0-1".
bool is_cable_name(const std::string& name, const std::string& tap_prefix);

class Bypasses {
 public:
  Bypasses(const Conf& conf, Links& links) : conf_(conf), links_(links) {}

  /// The whole list; tend() does what follows from it. Errors: forbidden by launcher.conf
  proto::Status want(std::vector<BridgePair> wanted);
  /// Takes away every cable between two of these bridges. To be done before ports on them go up.
  /// Errors: launcher; then they may not.
  proto::Status part(const std::vector<std::string>& bridges);
  /// Lays what is wanted and takes away what is not. in: what instances forward between now.
  /// Milliseconds until it must be called again after a failure; -1 = when something changed.
  int tend(const std::vector<BridgePair>& forwarded);
  void remove_all();

 private:
  proto::Status lay(const BridgePair& pair);
  proto::Status take_away(const BridgePair& pair);

  const Conf& conf_;
  Links& links_;
  std::vector<BridgePair> wanted_;
  std::map<BridgePair, std::string> laid_;  // the name of the first end
  std::uint64_t retry_at_ms_ = 0;           // after a failure
};

}  // namespace launcher
