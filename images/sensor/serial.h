// The host's serial line, where the manifest gives one: the port of the device `serial`.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "images/runtime/config.h"

namespace images::sensor {

inline constexpr std::string_view kSerialDevice = "serial";

/// Have what the line says handed over, from run() on. False: there is no line.
bool open_serial(const runtime::Config& config, void (*take)(std::span<const std::uint8_t> bytes));

}  // namespace images::sensor
