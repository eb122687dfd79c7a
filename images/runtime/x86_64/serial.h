// The console: the first serial port (16550 at 0x3f8), polled.
#pragma once

#include <string_view>

namespace images::runtime::x86 {

void serial_start();

/// Write all of it; once the port takes nothing for a while, what follows is lost instead.
void serial_write(std::string_view text);

}  // namespace images::runtime::x86
