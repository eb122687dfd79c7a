// What an appliance writes and what it calls: the whole of images/runtime that it needs to know.
// How to build one: README.md beside this file.
#pragma once

#include <cstdint>

#include "images/runtime/arena.h"
#include "images/runtime/config.h"

namespace images::runtime {

/// Written by the appliance. Called once, with the config read, the network up and a clock; sets
/// everything up and calls run(). What it returns ends the guest (0..31, images/abi/exit_codes.h).
int appliance_main(const Config& config, Arena& memory);

/// Serve for ever: packets, timers, sleep. Callbacks run inside it, one at a time.
[[noreturn]] void run();

/// Call `function(argument)` once, after that many milliseconds, inside run(). Panics if more than
/// 8 are waiting.
void call_after(std::uint32_t delay_ms, void (*function)(void*), void* argument);

}  // namespace images::runtime
