// Zones for the tests, parsed by the real parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "images/dns/zone_parser.h"

namespace images::dns::test {

inline constexpr std::string_view kHead =
    "$ORIGIN example.test.\n$TTL 3600\n"
    "@ IN SOA ns1 hostmaster 7 1h 15m 2w 5m\n"
    "  IN NS ns1\n"
    "ns1 A 192.0.2.53\n";  // 5 lines; 3 records

/// A zone with its memory and text.
struct Loaded {
  explicit Loaded(std::string zone_text, std::size_t memory_bytes = 1 << 20,
                  std::string origin = "example.test")
      : text(std::move(zone_text)), bytes(memory_bytes), arena(bytes) {
    fault = parse_zone(text, origin, arena, zone);
  }
  /// As the console shows it, without the file's name.
  std::string told() const {
    if (!fault.failed()) return "";
    std::string result = std::to_string(fault.line) + ": " + fault.what;
    if (!fault.word.empty()) result += ": " + std::string(fault.word);
    return result;
  }

  std::string text;
  std::vector<std::uint8_t> bytes;
  runtime::Arena arena;
  Zone zone;
  ZoneFault fault;
};

}  // namespace images::dns::test
