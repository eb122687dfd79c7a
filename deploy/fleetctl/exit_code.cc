#include "deploy/fleetctl/exit_code.h"

namespace fleetctl {

ExitCode exit_code_of(const proto::Error& error) {
  // Only the HTTP client makes these three, always about the controller.
  if (error.code == proto::Code::unreachable || error.code == proto::Code::closed ||
      error.code == proto::Code::timeout) {
    return ExitCode::not_reached;
  }
  if (error.code == proto::Code::cancelled) return ExitCode::detached;
  return ExitCode::error;
}

}  // namespace fleetctl
