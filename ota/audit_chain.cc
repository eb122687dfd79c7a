#include "ota/audit_chain.h"

#include "ota/hash.h"

namespace ota {

std::string audit_hash(std::string_view previous, const fleet::v1::AuditEntry& entry) {
  std::string bytes(previous);
  // With its length in front no field can pass bytes on to the next one.
  const auto add = [&bytes](std::string_view field) {
    bytes += std::to_string(field.size());
    bytes += ':';
    bytes += field;
    bytes += ',';
  };
  add(std::to_string(entry.sequence()));
  add(std::to_string(entry.at_ms()));
  add(entry.who());
  add(entry.from());
  add(entry.action());
  add(entry.object());
  add(entry.detail());
  return sha256(bytes).hex();
}

}  // namespace ota
