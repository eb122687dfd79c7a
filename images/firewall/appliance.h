// The firewall appliance without its main: /rules of the config volume between the two interfaces
// that have no address. Must never forward a frame before all rules are read.
#pragma once

#include "images/runtime/appliance.h"

namespace images::firewall {

/// Read arguments and rules, then forward. Returns 0, or the exit status after it has said on the
/// console what is wrong: an argument, a rule (file:line), no rules, interfaces, too little memory.
int set_up(const runtime::Config& config, runtime::Arena& memory);

}  // namespace images::firewall
