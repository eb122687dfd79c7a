// Settings and commands of any content: taken within their limits, or refused with a text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "images/sensor/command.h"
#include "images/sensor/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace images::sensor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static Settings settings;
  const SettingsFault fault = parse_settings(text, "host", settings);
  if (settings.sensor_count > kMaxSensors) std::abort();
  Command command;
  if (parse_command(text, settings, command) == nullptr && command.verb == Verb::every &&
      (command.sensor >= settings.sensor_count || command.every_ms < kMinEveryMs)) {
    std::abort();
  }
  if (fault.failed()) return 0;
  for (const SensorSettings& sensor : settings.all()) {
    const bool bounded = sensor.bounded_below && sensor.bounded_above;
    if (sensor.name.empty() || sensor.name.size() > kMaxNameBytes) std::abort();
    if (sensor.every_ms < kMinEveryMs || sensor.every_ms > kMaxEveryMs) std::abort();
    if (sensor.high < sensor.low || (bounded && sensor.max < sensor.min)) std::abort();
  }
  return 0;
}
