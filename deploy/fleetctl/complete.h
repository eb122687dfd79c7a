// complete: the words that a shell offers, as controller and catalog have them now. For
// completion.cc's script alone: it answers within a second or says nothing, and never asks or
// complains.
#pragma once

#include <string>
#include <vector>

#include "deploy/fleetctl/program.h"
#include "fleet/v1/api.pb.h"

namespace fleetctl {

struct CompleteOptions {
  std::string what;  // devices | selectors | groups | apps | releases | rollouts | catalog
  std::string app;   // --app: whose releases
  std::string word;  // what is written already
};

/// out    ok, whatever happened
CommandResult complete(Program& program, const CompleteOptions& options);

/// What of a list of devices fits: names, and for selectors also groups and "label=value".
std::vector<std::string> device_words(const fleet::v1::DeviceSummaryList& list,
                                      const CompleteOptions& options);

}  // namespace fleetctl
