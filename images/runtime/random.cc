#include "images/runtime/random.h"

#include <array>
#include <bit>
#include <cstddef>

#include "images/runtime/console.h"
#include "images/runtime/platform.h"

namespace images::runtime {
namespace {

using Block = std::array<std::uint32_t, 16>;

struct Generator {
  std::array<std::uint32_t, 8> key{};
  std::array<std::uint32_t, 8> ready{};  // the half of a block that is handed out
  std::size_t left = 0;
  bool seeded = false;
};

Generator generator;

void quarter_round(Block& b, std::size_t i, std::size_t j, std::size_t k, std::size_t l) {
  b[i] += b[j];
  b[l] = std::rotl(b[l] ^ b[i], 16);
  b[k] += b[l];
  b[j] = std::rotl(b[j] ^ b[k], 12);
  b[i] += b[j];
  b[l] = std::rotl(b[l] ^ b[i], 8);
  b[k] += b[l];
  b[j] = std::rotl(b[j] ^ b[k], 7);
}

/// One ChaCha20 block (RFC 8439 section 2.3). Counter and nonce carry the tick counter: it adds
/// jitter and costs nothing; the key changes with every block in any case.
Block chacha_block(const std::array<std::uint32_t, 8>& key, std::uint64_t nonce) {
  Block start{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (std::size_t i = 0; i < 8; ++i) start[4 + i] = key[i];
  start[14] = static_cast<std::uint32_t>(nonce);
  start[15] = static_cast<std::uint32_t>(nonce >> 32);
  Block b = start;
  for (int round = 0; round < 10; ++round) {
    for (std::size_t c = 0; c < 4; ++c) quarter_round(b, c, 4 + c, 8 + c, 12 + c);
    for (std::size_t c = 0; c < 4; ++c) {
      quarter_round(b, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
    }
  }
  for (std::size_t i = 0; i < b.size(); ++i) b[i] += start[i];
  return b;
}

}  // namespace

void seed_random(std::span<const std::uint8_t, 32> seed) {
  for (std::size_t i = 0; i < 32; ++i) {
    generator.key[i / 4] |= static_cast<std::uint32_t>(seed[i]) << (8 * (i % 4));
  }
  generator.left = 0;
  generator.seeded = true;
}

std::uint32_t random_u32() {
  RUNTIME_ASSERT(generator.seeded);
  if (generator.left == 0) {
    const Block block = chacha_block(generator.key, platform::ticks());
    for (std::size_t i = 0; i < 8; ++i) {
      generator.key[i] = block[i];
      generator.ready[i] = block[8 + i];
    }
    generator.left = generator.ready.size();
  }
  std::uint32_t& word = generator.ready[--generator.left];
  const std::uint32_t result = word;
  word = 0;
  return result;
}

std::uint64_t random_u64() {
  const std::uint64_t high = random_u32();
  return (high << 32) | random_u32();
}

}  // namespace images::runtime
