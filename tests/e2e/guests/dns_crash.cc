// A broken release for the tests: the DNS appliance that starts well, answers, and then faults for
// real: a write through a null pointer, in a timer, 10 ms after it listens: before the third probe.
#include <cstdint>

#include "images/dns/appliance.h"

namespace {

constexpr std::uint32_t kCrashAfterMs = 10;

void write_through(void* pointer) { *static_cast<volatile std::uint32_t*>(pointer) = 1; }

}  // namespace

int images::runtime::appliance_main(const Config& config, Arena& memory) {
  const int status = dns::set_up(config, memory);
  if (status != 0) return status;
  call_after(kCrashAfterMs, write_through, nullptr);
  run();
}
