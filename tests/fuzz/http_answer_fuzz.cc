// Any bytes as the answer to an HTTP health probe, as they arrive: whole, and cut at each point.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/http.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  const auto status = agent::parse_http_status(whole);
  FLEET_ASSERT(!status || *status < 1000);
  const auto half = agent::parse_http_status(whole.substr(0, size / 2));
  // What was decided by the first half is not changed by the rest.
  FLEET_ASSERT(!half || *half == 0 || !status || *status == *half);
  return 0;
}
