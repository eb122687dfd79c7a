#include "images/firewall/flow_hash.h"

#include <bit>
#include <cstring>

namespace images::firewall {
namespace {

/// Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one and three rounds.
struct SipHash {
  explicit SipHash(const HashKey& key)
      : v{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
          key[1] ^ 0x7465646279746573} {}

  void round() {
    v[0] += v[1];
    v[1] = std::rotl(v[1], 13) ^ v[0];
    v[0] = std::rotl(v[0], 32);
    v[2] += v[3];
    v[3] = std::rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = std::rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = std::rotl(v[1], 17) ^ v[2];
    v[2] = std::rotl(v[2], 32);
  }

  void add(std::uint64_t word) {
    v[3] ^= word;
    round();
    v[0] ^= word;
  }

  std::uint64_t end() {
    v[2] ^= 0xff;
    for (int i = 0; i < 3; ++i) round();
    return v[0] ^ v[1] ^ v[2] ^ v[3];
  }

  std::uint64_t v[4];
};

std::uint64_t word_at(const Address& address, std::size_t at) {
  std::uint64_t word = 0;
  std::memcpy(&word, address.data() + at, sizeof(word));
  return word;
}

}  // namespace

std::uint64_t hash_of(const Tuple& tuple, const HashKey& key) {
  SipHash hash(key);
  hash.add(word_at(tuple.source, 0));
  hash.add(word_at(tuple.target, 0));
  if (tuple.is_ip6) {
    hash.add(word_at(tuple.source, 8));
    hash.add(word_at(tuple.target, 8));
  }
  hash.add(std::uint64_t{tuple.source_port} << 32 | std::uint64_t{tuple.target_port} << 16 |
           std::uint64_t{tuple.protocol} << 8 | std::uint64_t{tuple.is_ip6});
  return hash.end();
}

}  // namespace images::firewall
