// The DNS appliance: see appliance.h.
#include "images/dns/appliance.h"

RUNTIME_CONFIG_LANGUAGE("dns/1");

int images::runtime::appliance_main(const Config& config, Arena& memory) {
  const int status = dns::set_up(config, memory);
  if (status != 0) return status;
  run();
}
