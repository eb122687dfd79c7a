#include "images/dns/rate_limit.h"

#include <algorithm>

namespace images::dns {

Allowance RateLimit::ask(std::array<std::uint8_t, 4> source, std::uint64_t now_ms) {
  if (per_second_ == 0) return Allowance::answer;
  const std::uint32_t network = static_cast<std::uint32_t>(source[0]) << 16 |
                                static_cast<std::uint32_t>(source[1]) << 8 | source[2];
  // Keyed multiply and fold: enough against guessing, as the secret never leaves the guest.
  std::uint64_t hash = (network + secret_) * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ hash >> 29 ^ secret_ >> 7) * 0xbf58476d1ce4e5b9ULL;
  Bucket& bucket = buckets_[static_cast<std::size_t>(hash >> 32) % kBuckets];
  const std::uint64_t full = std::uint64_t{per_second_} * 1000;
  if (!bucket.used || bucket.network != network) {
    bucket = {now_ms, static_cast<std::uint32_t>(std::min<std::uint64_t>(full, UINT32_MAX)),
              network, 0, true};
  }
  const std::uint64_t passed_ms = std::min<std::uint64_t>(now_ms - bucket.filled_ms, 1000);
  const std::uint64_t tokens = std::min(full, bucket.milli_tokens + passed_ms * per_second_);
  bucket.filled_ms = now_ms;
  if (tokens >= 1000) {
    bucket.milli_tokens = static_cast<std::uint32_t>(tokens - 1000);
    return Allowance::answer;
  }
  bucket.milli_tokens = static_cast<std::uint32_t>(tokens);
  ++bucket.refused;
  return bucket.refused % kTruncateEvery == 0 ? Allowance::truncate : Allowance::drop;
}

}  // namespace images::dns
