#include "images/sensor/command.h"

#include <algorithm>

namespace images::sensor {
namespace {

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const std::size_t size = std::min(text.find_first_of(" \t\r\n"), text.size());
  const std::string_view word = text.substr(0, size);
  text.remove_prefix(size);
  return word;
}

const char* take_every(std::string_view& text, const Settings& settings, Command& out) {
  const std::string_view name = take_word(text);
  const auto sensors = settings.all();
  const auto found = std::find_if(sensors.begin(), sensors.end(),
                                  [name](const SensorSettings& s) { return s.name == name; });
  if (found == sensors.end()) return "no such sensor";
  out.sensor = static_cast<std::size_t>(found - sensors.begin());
  const bool good = parse_duration(take_word(text), out.every_ms) &&
                    out.every_ms >= kMinEveryMs && out.every_ms <= kMaxEveryMs;
  return good ? nullptr : "not a time of 100ms..1h";
}

}  // namespace

const char* parse_command(std::string_view text, const Settings& settings, Command& out) {
  const std::string_view verb = take_word(text);
  if (verb == "read") {
    out.verb = Verb::read;
  } else if (verb == "state") {
    out.verb = Verb::state;
  } else if (verb == "every") {
    out.verb = Verb::every;
    const char* wrong = take_every(text, settings, out);
    if (wrong != nullptr) return wrong;
  } else {
    return "no such command; read, state or every SENSOR DURATION";
  }
  return take_word(text).empty() ? nullptr : "one word too many";
}

}  // namespace images::sensor
