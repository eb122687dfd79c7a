// The sensor appliance without its main: readings from /sensor.conf's sources, to an MQTT broker.
#pragma once

#include "images/runtime/appliance.h"

namespace images::sensor {

/// Read /sensor.conf and begin. Returns 0, or the exit status after it has said on the console what
/// is wrong, by file and line.
int set_up(const runtime::Config& config, runtime::Arena& memory);

}  // namespace images::sensor
