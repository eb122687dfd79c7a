// The way from a platform's boot code into the runtime.
#pragma once

namespace images::runtime {

/// Called once by the platform when console, clock and memory stand. Never returns.
[[noreturn]] void start();

}  // namespace images::runtime
