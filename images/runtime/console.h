// Lines on the console, and the one way to die. Plain text, no format strings.
#pragma once

#include <string_view>

#include "images/runtime/line.h"

namespace images::runtime {

/// Write one finished line.
void print_line(const Line& line);

/// print("dns: zone ", name, ": ", count, " records");
template <typename... Parts>
void print(const Parts&... parts) {
  Line line;
  (line.add(parts), ...);
  print_line(line);
}

/// A broken promise of our own: say it and end the guest as aborted.
[[noreturn]] void panic(std::string_view why);

}  // namespace images::runtime

/// A check that stays on in release.
#define RUNTIME_ASSERT(condition)                                             \
  do {                                                                        \
    if (!(condition)) ::images::runtime::panic("check failed: " #condition); \
  } while (false)
