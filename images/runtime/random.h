// The guest's random generator: ChaCha20 keyed by the host's seed, rekeyed after every block so
// that what was handed out cannot be worked out from memory later.
#pragma once

#include <cstdint>
#include <span>

namespace images::runtime {

/// Start it. Must be called once, before anything random is asked for.
void seed_random(std::span<const std::uint8_t, 32> seed);

/// A random number. Panics if there was no seed.
std::uint32_t random_u32();
std::uint64_t random_u64();

}  // namespace images::runtime
