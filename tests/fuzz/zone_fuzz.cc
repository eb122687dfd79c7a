// Zone files of any content: a zone in which every name can be looked up, or a fault with a text;
// never more memory than it was given.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "images/dns/zone_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::dns;
  static std::vector<std::uint8_t> memory(1 << 18);
  images::runtime::Arena arena(memory);
  Zone zone;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (parse_zone(text, "example.test", arena, zone).failed()) return 0;
  for (const Record& record : zone.records()) {
    if (of_type(zone.at(record.name), record.type).empty()) std::abort();
    if (!zone.exists(record.name) || !is_below_or_same(record.name, zone.origin())) std::abort();
  }
  return 0;
}
