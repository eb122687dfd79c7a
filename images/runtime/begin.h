// What every platform does before any other C++ code: the stack guard, and constructors.
#pragma once

#include <cstdint>

extern "C" {
extern std::uintptr_t __stack_chk_guard;
}

namespace images::runtime {

/// Mix something unpredictable into the stack guard. The caller must have no guard of its own and
/// never return. The low byte stays 0: it ends strings.
[[gnu::always_inline]] inline void mix_stack_guard(std::uint64_t jitter) {
  __stack_chk_guard ^= jitter << 8;
}

/// Run the constructors of global objects; once.
void run_constructors();

}  // namespace images::runtime
