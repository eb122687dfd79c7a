// The DNS appliance without its main: zones from /zones/*.zone of the config volume, served over
// UDP and TCP. Must never serve a part of them: one bad zone ends it before it listens.
#pragma once

#include "images/runtime/appliance.h"

namespace images::dns {

/// Read arguments and zones, then listen. Returns 0, or the exit status after it has said on the
/// console what is wrong: an argument, a zone (file:line), no zone at all, no address.
int set_up(const runtime::Config& config, runtime::Arena& memory);

}  // namespace images::dns
