// What strangers write into a request's first line and its Range header.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "controller/http_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  controller::Request request;
  if (controller::split_target(text, request)) {
    FLEET_ASSERT(request.path.find('\0') == std::string::npos);
    FLEET_ASSERT(request.path.find("/../") == std::string::npos);
    FLEET_ASSERT(request.path.front() == '/');
  }
  constexpr std::uint64_t kSize = 1000;
  const auto range = controller::parse_range(text, kSize);
  if (range) FLEET_ASSERT(range->offset + range->length <= kSize);
  return 0;
}
