// Lines on the console, and the one way to die. Plain text, no format strings.
#pragma once

#include <cstddef>
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

/// "dns: /zones/a.zone:12: not an IPv4 address: 192.0.2.256": what is wrong with a file of the
/// config. line 0: the file as a whole; an empty word: none is named.
void print_fault(std::string_view app, std::string_view path, std::size_t line,
                 std::string_view what, std::string_view word);

/// A broken promise of our own: say it and end the guest as aborted.
[[noreturn]] void panic(std::string_view why);

}  // namespace images::runtime

/// A check that stays on in release.
#define RUNTIME_ASSERT(condition)                                             \
  do {                                                                        \
    if (!(condition)) ::images::runtime::panic("check failed: " #condition); \
  } while (false)
