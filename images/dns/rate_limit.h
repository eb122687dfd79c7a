// A limit on answers per source network and second, against being used to flood somebody whose
// address is forged. Part of what is over it is told to come back by TCP, where no address is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "images/dns/address.h"

namespace images::dns {

enum class Allowance { answer, truncate, drop };

class RateLimit {
 public:
  /// per_second: answers per network, /24 of IPv4 and /56 of IPv6; 0 = no limit. secret: random, so
  /// that nobody outside can choose addresses that share a place in the table.
  RateLimit(std::uint32_t per_second, std::uint64_t secret)
      : per_second_(per_second), secret_(secret) {}

  /// One query from this address now. A burst of one second's worth is allowed.
  Allowance ask(const Address& source, std::uint64_t now_ms);

 private:
  struct Bucket {
    std::uint64_t filled_ms = 0;
    std::uint64_t network = 0;       // whose; the last that came takes the place over; 0 = nobody's
    std::uint32_t milli_tokens = 0;  // thousandths of an answer
    std::uint32_t refused = 0;
  };

  static constexpr std::size_t kBuckets = 1024;
  static constexpr std::uint32_t kTruncateEvery = 2;  // of the refused, as BIND's `slip`
  std::uint32_t per_second_;
  std::uint64_t secret_;
  std::array<Bucket, kBuckets> buckets_{};
};

}  // namespace images::dns
