// One zone in memory: its records in canonical order, and the questions that an answer asks of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "images/dns/name.h"

namespace images::dns {

// RFC 1035, 3596, 2782, 6672, 6891, 4034, 5155, 8659; the numbers are the wire's.
enum RecordType : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kDname = 39,
  kOpt = 41,
  kDs = 43,
  kRrsig = 46,
  kNsec = 47,
  kDnskey = 48,
  kNsec3 = 50,
  kIxfr = 251,
  kAxfr = 252,
  kAny = 255,
  kCaa = 257,
};

/// One record. Everything it points to lives as long as the zone. Names inside data are whole.
struct Record {
  NameView name;
  std::span<const std::uint8_t> data;
  std::uint32_t ttl_s = 0;
  std::uint16_t type = 0;
  std::uint32_t line = 0;  // of its zone file
};

class Zone {
 public:
  Zone() = default;
  /// records: sorted by compare_names(), then type; `soa` is one of them.
  Zone(NameView origin, std::span<const Record> records, const Record* soa)
      : origin_(origin), records_(records), soa_(soa) {}

  NameView origin() const { return origin_; }
  const Record& soa() const { return *soa_; }
  std::span<const Record> records() const { return records_; }
  /// How long "there is no such thing" may be kept: RFC 2308 section 5.
  std::uint32_t negative_ttl_s() const;

  /// All records of a name; empty if there are none.
  std::span<const Record> at(NameView name) const;
  /// True if the name has records or any name below it has.
  bool exists(NameView name) const;

 private:
  std::size_t lower_bound(NameView name) const;

  NameView origin_;
  std::span<const Record> records_;
  const Record* soa_ = nullptr;
};

/// Those of one type among a name's records (they are sorted by type).
std::span<const Record> of_type(std::span<const Record> records, std::uint16_t type);

/// The zone that a name belongs to: the longest origin that it lies in; nullptr = none.
const Zone* find_zone(std::span<const Zone> zones, NameView name);

}  // namespace images::dns
