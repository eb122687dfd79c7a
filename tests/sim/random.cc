#include "tests/sim/random.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "proto/result.h"

namespace sim {
namespace {

Random* source = nullptr;  // libsodium's functions take no context

void fill(void* const into, const std::size_t size) {
  auto* at = static_cast<unsigned char*>(into);
  for (std::size_t done = 0; done < size; done += sizeof(std::uint64_t)) {
    const std::uint64_t word = source->next();
    std::memcpy(at + done, &word, std::min(sizeof word, size - done));
  }
}

std::uint32_t word() { return static_cast<std::uint32_t>(source->next()); }
const char* name() { return "fleet-sim"; }

randombytes_implementation implementation = {name, word, nullptr, nullptr, fill, nullptr};

}  // namespace

Random::Random(std::uint64_t seed) : state_(seed) {
  FLEET_ASSERT(source == nullptr);
  FLEET_ASSERT(sodium_init() >= 0);  // its first call draws: not from a world's stream
  source = this;
  randombytes_set_implementation(&implementation);
}

Random::~Random() {
  source = nullptr;
  randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): any seed is a good one, also 1, 2, 3.
std::uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t word = state_;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

std::uint64_t Random::below(std::uint64_t bound) {
  FLEET_ASSERT(bound > 0);
  return next() % bound;  // its bias is far below what a seed could show
}

std::int64_t Random::between(std::int64_t from, std::int64_t to) {
  FLEET_ASSERT(from <= to);
  return from + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(to - from) + 1));
}

}  // namespace sim
