// The firewall appliance: see appliance.h.
#include "images/firewall/appliance.h"

RUNTIME_CONFIG_LANGUAGE("firewall/1");

int images::runtime::appliance_main(const Config& config, Arena& memory) {
  const int status = firewall::set_up(config, memory);
  if (status != 0) return status;
  run();
}
