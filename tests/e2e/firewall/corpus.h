// The packets of the verdict table: the same ones for our guest and for Linux's nftables.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/images_firewall/frames.h"

namespace images::firewall {

/// Frames sent one behind the other from one side; what comes out on the other is counted.
struct Step {
  std::string name;  // unique
  bool from_lan = true;
  std::vector<Frame> frames;
};

/// All steps, in the order in which they are to be sent; the same in every run.
std::vector<Step> make_corpus();

}  // namespace images::firewall
