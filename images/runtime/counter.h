// The CPU's own fast counter; each CPU's folder says how to read it.
#pragma once

#include <cstdint>

namespace images::runtime {

/// Rises all the time, from anywhere, at a rate of its own.
std::uint64_t read_counter();

}  // namespace images::runtime
