// The firewall appliance without its main: /rules of the config volume between interfaces, as a
// bridge if two have no address, as a router if two or more have one. Must never forward a frame
// before all rules are read.
#pragma once

#include "images/runtime/appliance.h"

namespace images::firewall {

/// Read arguments and rules, then forward. Returns 0, or the exit status after it has said on the
/// console what is wrong: an argument, a rule (file:line), no rules, interfaces, too little memory.
int set_up(const runtime::Config& config, runtime::Arena& memory);

}  // namespace images::firewall
