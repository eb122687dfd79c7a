// The strict JSON reader: what it takes has one canonical form, and every writer's text reads back
// as the same value.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ota/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = ota::parse_json(text);
  if (!value) {
    FLEET_ASSERT(value.error().code == proto::Code::bad_metadata);
    return 0;
  }
  const std::string canonical = ota::canonical_json(*value);
  for (const std::string& written : {ota::pretty_json(*value), ota::compact_json(*value)}) {
    const auto again = ota::parse_json(written);
    FLEET_ASSERT(again.has_value());
    FLEET_ASSERT(ota::canonical_json(*again) == canonical);
  }
  return 0;
}
