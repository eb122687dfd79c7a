// The data of a record from its words in a zone file to its bytes on the wire.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/dns/name.h"
#include "images/dns/scanner.h"

namespace images::dns {

inline constexpr std::size_t kMaxDataBytes = 4096;

/// Bytes of one record's data while they are made.
struct DataBuffer {
  std::array<std::uint8_t, kMaxDataBytes> bytes{};
  std::size_t size = 0;

  /// False: it does not fit.
  bool add(std::span<const std::uint8_t> more);
  bool add_u16(std::uint64_t value);
  bool add_u32(std::uint64_t value);
};

/// Why data was refused.
struct DataFault {
  const char* what = nullptr;
  std::string_view word;
  bool failed() const { return what != nullptr; }
};

/// The number of a type's name ("MX", "TYPE65280": RFC 3597); 0 = none that we know.
std::uint16_t type_number(std::string_view text);

/// False for types of questions only, and for those that change what other names answer (DNAME,
/// DNSSEC's): as plain records they would be served wrongly.
bool is_served_type(std::uint16_t type);

/// A name of a zone file: `@`, relative to the origin, or absolute with a final dot.
[[nodiscard]] bool parse_name(std::string_view text, NameView origin, Name& out);

/// A TTL in seconds, also as 1w2d3h4m5s. False: neither, or over 2^31-1 (RFC 2181 section 8).
[[nodiscard]] bool parse_ttl(std::string_view text, std::uint32_t& out);

/// The words behind the type, as the type wants them; also as \# LENGTH HEX where no name is in it.
[[nodiscard]] DataFault parse_data(std::uint16_t type, std::span<const Word> words, NameView origin,
                                   DataBuffer& out);

}  // namespace images::dns
