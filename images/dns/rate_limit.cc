#include "images/dns/rate_limit.h"

#include <algorithm>

namespace images::dns {

namespace {

/// What an attacker who owns addresses owns at least: a /24, or a /56 (as BIND counts).
std::uint64_t network_of(const Address& address) {
  const bool v4 = address.is_ipv4();
  const std::size_t begin = v4 ? 12 : 0;
  const std::size_t end = begin + (v4 ? 3 : 7);
  std::uint64_t network = v4 ? 2 : 1;  // never 0, and the families apart
  for (std::size_t i = begin; i < end; ++i) network = network << 8 | address.bytes[i];
  return network;
}

}  // namespace

Allowance RateLimit::ask(const Address& source, std::uint64_t now_ms) {
  if (per_second_ == 0) return Allowance::answer;
  const std::uint64_t network = network_of(source);
  // Keyed multiply and fold: enough against guessing, as the secret never leaves the guest.
  std::uint64_t hash = (network + secret_) * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ hash >> 29 ^ secret_ >> 7) * 0xbf58476d1ce4e5b9ULL;
  Bucket& bucket = buckets_[static_cast<std::size_t>(hash >> 32) % kBuckets];
  const std::uint64_t full = std::uint64_t{per_second_} * 1000;
  if (bucket.network != network) {
    bucket = {now_ms, network,
              static_cast<std::uint32_t>(std::min<std::uint64_t>(full, UINT32_MAX)), 0};
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
