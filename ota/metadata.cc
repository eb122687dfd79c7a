// Times, signatures, thresholds, digests. Reading is metadata_parse.cc, writing metadata_write.cc,
// names and patterns metadata_paths.cc.
#include "ota/metadata.h"

#include <chrono>
#include <cstdio>
#include <set>

namespace ota {
namespace {

Error bad_time(std::string_view text) {
  return Error{Code::bad_metadata,
               "\"" + std::string(text.substr(0, 40)) + "\" is no time like 2026-01-31T12:00:00Z",
               ""};
}

// The number in `count` digits at `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool verifies(const PublicKey& key, std::string_view canonical, const std::string& sig_hex) {
  const auto bytes = from_hex(sig_hex);
  if (!bytes) return false;
  return key.verify(canonical, std::string_view(reinterpret_cast<const char*>(bytes->data()),
                                                bytes->size()));
}

}  // namespace

Result<std::int64_t> parse_time(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
  if (text.size() != kShape.size()) return bad_time(text);
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] != '0' && text[i] != kShape[i]) return bad_time(text);
  }
  const int year = digits_at(text, 0, 4);
  const int month = digits_at(text, 5, 2);
  const int day = digits_at(text, 8, 2);
  const int hour = digits_at(text, 11, 2);
  const int minute = digits_at(text, 14, 2);
  const int second = digits_at(text, 17, 2);
  if (year < 0 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0) {
    return bad_time(text);
  }
  if (hour > 23 || minute > 59 || second > 59) return bad_time(text);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return bad_time(text);
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

std::string format_time(std::int64_t unix_seconds) {
  std::int64_t days = unix_seconds / 86400;
  std::int64_t rest = unix_seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  // Beyond these the calendar below would overflow, and the form has four digits for the year.
  FLEET_ASSERT(days >= -719528 && days <= 2932896);
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return buffer;
}

std::int64_t count_signatures(std::string_view canonical, const std::vector<Signature>& signatures,
                              const std::map<std::string, PublicKey>& keys, const RoleKeys& role) {
  std::set<std::string> signers;  // by what the key is, not by what it is called
  for (const std::string& keyid : role.keyids) {
    const auto key = keys.find(keyid);
    if (key == keys.end() || signers.count(key->second.identity()) != 0) continue;
    for (const Signature& signature : signatures) {
      if (signature.keyid != keyid) continue;
      if (verifies(key->second, canonical, signature.sig_hex)) {
        signers.insert(key->second.identity());
      }
      break;  // the reader refused a second signature under the same id
    }
  }
  return static_cast<std::int64_t>(signers.size());
}

Status verify_threshold(std::string_view canonical, const std::vector<Signature>& signatures,
                        const std::map<std::string, PublicKey>& keys, const RoleKeys& role,
                        std::string_view role_name) {
  FLEET_ASSERT(role.threshold >= 1);
  const std::int64_t count = count_signatures(canonical, signatures, keys, role);
  if (count >= role.threshold) return {};
  return Error{Code::bad_signature,
               std::string(role_name) + " has " + std::to_string(count) + " good signature(s) of " +
                   std::to_string(role.threshold) +
                   " wanted; it was changed on its way, or signed with other keys",
               std::string(role_name)};
}

bool matches(std::string_view bytes, std::optional<std::int64_t> length_bytes,
             const Hashes& hashes) {
  if (length_bytes && static_cast<std::uint64_t>(*length_bytes) != bytes.size()) return false;
  if (!hashes.sha256 && !hashes.sha512) return false;
  if (hashes.sha256 && sha256(bytes) != *hashes.sha256) return false;
  return !hashes.sha512 || sha512(bytes) == *hashes.sha512;
}

}  // namespace ota
