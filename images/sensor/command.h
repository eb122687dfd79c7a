// What somebody asks by the topic PREFIX/command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "images/sensor/settings.h"

namespace images::sensor {

inline constexpr std::size_t kMaxCommandBytes = 128;

enum class Verb : std::uint8_t {
  read,   // tell what the windows have now
  every,  // another interval for one sensor, until the next start
  state,  // counters, as the answer
};

struct Command {
  Verb verb = Verb::read;
  std::size_t sensor = 0;      // every
  std::uint32_t every_ms = 0;  // every
};

/// `read` | `state` | `every SENSOR DURATION`. Returns why it is none of these, nullptr: it is.
[[nodiscard]] const char* parse_command(std::string_view text, const Settings& settings,
                                        Command& out);

}  // namespace images::sensor
