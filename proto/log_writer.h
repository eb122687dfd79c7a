// Where log lines go instead of stderr: for the simulator, whose time is another.
#pragma once

#include <string_view>

namespace proto {

/// Takes each line from its level on, without a time and without its end. Null: to stderr again.
/// Before any other thread logs.
void set_log_writer(void (*write_line)(std::string_view line));

}  // namespace proto
