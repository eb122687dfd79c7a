// What the operator wrote into /sensor.conf: the broker, the topics, the sensors. One statement a
// line; README.md has the language.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/sensor/decimal.h"

namespace images::sensor {

inline constexpr std::size_t kMaxSensors = 32;
inline constexpr std::size_t kMaxNameBytes = 32;   // of a sensor, and of a key on the line
inline constexpr std::size_t kMaxTopicBytes = 64;  // of the prefix
inline constexpr std::uint32_t kMinEveryMs = 100;
inline constexpr std::uint32_t kMaxEveryMs = 3'600'000;

enum class Source : std::uint8_t { serial, simulated };

struct SensorSettings {
  std::string_view name;             // [a-z0-9_-]
  Source source = Source::serial;
  std::string_view key;              // serial: what the line calls it
  Decimal low, high;                 // simulated: between which it swings
  std::uint32_t every_ms = 10'000;   // one message for so long
  bool bounded_below = false, bounded_above = false;
  Decimal min, max;                  // a reading outside is no reading
  Decimal step;                      // of one reading to the next, unless a second agrees; 0: any
  Decimal deadband;                  // smaller changes are not told; 0: all are
};

/// All views point into the text or the host name.
struct Settings {
  std::array<std::uint8_t, 4> broker{};  // network order
  std::uint16_t port = 1883;
  std::string_view client;   // default: the host name
  std::string_view topic;    // prefix; empty: sensors/CLIENT
  std::string_view user;     // empty: none
  std::uint16_t keepalive_s = 30;
  std::uint32_t buffer = 10'000;  // messages that wait while the broker is away
  std::uint16_t metrics = 0;      // port of the pages /metrics and /healthz; 0: none
  std::array<SensorSettings, kMaxSensors> sensors{};
  std::size_t sensor_count = 0;

  std::span<const SensorSettings> all() const { return {sensors.data(), sensor_count}; }
};

inline constexpr std::string_view kSettingsPath = "/sensor.conf";

/// Why the text was refused; `what == nullptr`: it was not.
struct SettingsFault {
  const char* what = nullptr;
  std::string_view word;  // that is wrong; may be empty
  std::size_t line = 0;   // from 1; 0: the text as a whole
  bool failed() const { return what != nullptr; }
};

/// errors  an unknown statement or word | a value outside its range | a number without a unit | a
///         sensor twice | no broker | no sensor
[[nodiscard]] SettingsFault parse_settings(std::string_view text, std::string_view hostname,
                                           Settings& out);

/// 250ms, 10s, 5m, 1h: all of the text. False: it is not one, or longer than a day.
[[nodiscard]] bool parse_duration(std::string_view text, std::uint32_t& out_ms);

}  // namespace images::sensor
