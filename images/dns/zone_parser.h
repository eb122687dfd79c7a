// From a zone's master file (RFC 1035 section 5) to a Zone, or to what is wrong and in which line.
// Reads $ORIGIN and $TTL; SOA, NS, A, AAAA, CNAME, MX, TXT, PTR, SRV, CAA, others as TYPEnnn
// (RFC 3597); class IN; TTLs also as 1h30m. Of equal records one stays; a set has its first's TTL.
#pragma once

#include <cstdint>
#include <string_view>

#include "images/dns/zone.h"
#include "images/runtime/arena.h"

namespace images::dns {

// The records of one name and type must fit one answer over TCP with room to spare.
inline constexpr std::size_t kMaxSetBytes = 12 * 1024;

/// What is wrong with a zone file; `what == nullptr` means nothing.
struct ZoneFault {
  const char* what = nullptr;
  std::string_view word;   // what it is about, from the file; may be empty
  std::uint32_t line = 0;  // from 1; 0 = the file as a whole
  bool failed() const { return what != nullptr; }
};

/// The zone's name in a path "/zones/NAME.zone"; empty for any other file.
std::string_view zone_of_path(std::string_view path);

/// Parse one file into a zone. `origin_text` is where relative names stand before any $ORIGIN (the
/// file's name without `.zone`). The text and the arena's memory must outlive the zone.
/// errors  syntax | unknown type or directive | a name outside the zone | no SOA, two SOAs, no NS
///         at the apex | CNAME beside other records | an empty zone | a set of records over
///         kMaxSetBytes | no memory
[[nodiscard]] ZoneFault parse_zone(std::string_view text, std::string_view origin_text,
                                   runtime::Arena& arena, Zone& out);

}  // namespace images::dns
