// The host's serial line, where the manifest gives one: the first port without an address.
#pragma once

#include <cstdint>
#include <span>

#include "images/runtime/config.h"

namespace images::sensor {

/// Have what the line says handed over, from run() on. False: there is no line.
bool open_serial(const runtime::Config& config, void (*take)(std::span<const std::uint8_t> bytes));

}  // namespace images::sensor
