// Selectors come from people and scripts through the API: any bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "controller/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto selector = controller::parse_selector(text);
  if (!selector) return 0;
  FLEET_ASSERT(!selector->terms.empty());
  const std::vector<controller::Subject> fleet = {
      {"1", "edge-1", {"edge"}, {{"site", "lyon"}}}, {"2", "lab-1", {}, {}}};
  bool any = false;
  for (const auto& subject : fleet) any = selector->matches(subject) || any;
  if (!any) FLEET_ASSERT(!controller::suggest(*selector, text, fleet).message.empty());
  return 0;
}
