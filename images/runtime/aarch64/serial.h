// The console: virt's serial port (a PL011 at 0x09000000), polled.
#pragma once

#include <string_view>

namespace images::runtime::arm64 {

/// Write all of it; once the port takes nothing for a while, what follows is lost instead.
void serial_write(std::string_view text);

}  // namespace images::runtime::arm64
