#include "images/dns/zone.h"

#include <algorithm>

namespace images::dns {

std::uint32_t Zone::negative_ttl_s() const {
  const auto minimum = soa_->data.last(4);
  std::uint32_t value = 0;
  for (const std::uint8_t byte : minimum) value = value << 8 | byte;
  return std::min(value, soa_->ttl_s);
}

std::size_t Zone::lower_bound(NameView name) const {
  const auto place = std::lower_bound(
      records_.begin(), records_.end(), name,
      [](const Record& record, NameView wanted) { return compare_names(record.name, wanted) < 0; });
  return static_cast<std::size_t>(place - records_.begin());
}

std::span<const Record> Zone::at(NameView name) const {
  const std::size_t begin = lower_bound(name);
  std::size_t end = begin;
  while (end < records_.size() && same_name(records_[end].name, name)) ++end;
  return records_.subspan(begin, end - begin);
}

bool Zone::exists(NameView name) const {
  const std::size_t next = lower_bound(name);
  return next < records_.size() && is_below_or_same(records_[next].name, name);
}

std::span<const Record> of_type(std::span<const Record> records, std::uint16_t type) {
  std::size_t begin = 0;
  while (begin < records.size() && records[begin].type != type) ++begin;
  std::size_t end = begin;
  while (end < records.size() && records[end].type == type) ++end;
  return records.subspan(begin, end - begin);
}

const Zone* find_zone(std::span<const Zone> zones, NameView name) {
  const Zone* best = nullptr;
  for (const Zone& zone : zones) {
    if (!is_below_or_same(name, zone.origin())) continue;
    if (best == nullptr || zone.origin().size() > best->origin().size()) best = &zone;
  }
  return best;
}

}  // namespace images::dns
