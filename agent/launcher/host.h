// What the launcher changes on the host as a whole: the managed bridge, the firewall table,
// routing. Everything made here is taken down again, also what an earlier, killed launcher made.
#pragma once

#include <cstdint>

#include "agent/launcher/conf.h"
#include "agent/launcher/leftovers.h"
#include "agent/launcher/links.h"
#include "agent/launcher/nft.h"

namespace launcher {

class Host {
 public:
  Host(const Conf& conf, Links& links, Nft& nft, Leftovers& leftovers)
      : conf_(conf), links_(links), nft_(nft), leftovers_(leftovers) {}

  /// Removes leftovers, refuses a subnet or a bridge that is somebody else's, then sets up.
  /// Errors: conflict naming the link; launcher.
  proto::Status set_up();
  /// Takes everything back that set_up() made, also if it failed halfway; goes on after a failure.
  /// The taps must be gone.
  void take_down();
  std::uint32_t mtu() const { return mtu_; }

 private:
  proto::Status remove_old_links();
  proto::Status allow_echo_requests();

  const Conf& conf_;
  Links& links_;
  Nft& nft_;
  Leftovers& leftovers_;
  std::uint32_t mtu_ = 0;
  bool bridge_made_ = false;
};

}  // namespace launcher
