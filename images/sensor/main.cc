// The sensor appliance: see appliance.h.
#include "images/sensor/appliance.h"

RUNTIME_CONFIG_LANGUAGE("sensor/1");

int images::runtime::appliance_main(const Config& config, Arena& memory) {
  const int status = sensor::set_up(config, memory);
  if (status != 0) return status;
  run();
}
