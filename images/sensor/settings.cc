#include "images/sensor/settings.h"

#include <algorithm>

#include "images/runtime/address.h"

namespace images::sensor {
namespace {

using runtime::parse_number;

constexpr std::uint32_t kDayMs = 86'400'000;

/// The words of one line. A `#` begins a comment.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line.substr(0, line.find('#'))) {}

  /// The next word; empty at the end.
  std::string_view next() {
    const std::size_t begin = std::min(rest_.find_first_not_of(" \t\r"), rest_.size());
    rest_.remove_prefix(begin);
    const std::size_t size = std::min(rest_.find_first_of(" \t\r"), rest_.size());
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

 private:
  std::string_view rest_;
};

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

bool is_topic(std::string_view text) {
  if (text.empty() || text.size() > kMaxTopicBytes) return false;
  if (text.front() == '/' || text.back() == '/') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~' && c != '+' && c != '#'; });
}

SettingsFault fault(const char* what, std::string_view word) { return {what, word, 0}; }

SettingsFault take_broker(std::string_view word, Settings& out) {
  const std::size_t colon = word.find(':');
  if (!runtime::parse_ipv4(word.substr(0, colon), out.broker)) {
    return fault("broker: not an IPv4 address with or without :PORT", word);
  }
  if (colon == std::string_view::npos) return {};
  std::uint64_t port = 0;
  if (!parse_number(word.substr(colon + 1), 65535, port) || port == 0) {
    return fault("broker: not a port of 1..65535", word);
  }
  out.port = static_cast<std::uint16_t>(port);
  return {};
}

SettingsFault take_keepalive(std::string_view word, Settings& out) {
  std::uint32_t ms = 0;
  if (!parse_duration(word, ms) || ms < 5000 || ms > 3'600'000) {
    return fault("keepalive: not a time of 5s..1h", word);
  }
  out.keepalive_s = static_cast<std::uint16_t>(ms / 1000);
  return {};
}

SettingsFault take_buffer(std::string_view word, Settings& out) {
  std::uint64_t messages = 0;
  if (!parse_number(word, 1'000'000, messages) || messages < 16) {
    return fault("buffer: not a number of messages, 16..1000000", word);
  }
  out.buffer = static_cast<std::uint32_t>(messages);
  return {};
}

SettingsFault take_metrics(std::string_view word, Settings& out) {
  std::uint64_t port = 0;
  if (!parse_number(word, 65535, port) || port == 0) {
    return fault("metrics: not a port of 1..65535", word);
  }
  out.metrics = static_cast<std::uint16_t>(port);
  return {};
}

SettingsFault take_source(Words& words, SensorSettings& sensor, std::string_view& after) {
  if (words.next() != "from") {
    return fault("sensor: `from serial` or `from simulated` is missing", {});
  }
  const std::string_view source = words.next();
  after = words.next();
  if (source == "serial") {
    sensor.key = sensor.name;
    if (after != "as") return {};
    sensor.key = words.next();
    after = words.next();
    if (is_name(sensor.key)) return {};
    return fault("sensor: not a name behind `as`", sensor.key);
  }
  if (source != "simulated") return fault("sensor: no such source; serial or simulated", source);
  sensor.source = Source::simulated;
  const std::string_view high = words.next();
  if (!parse_decimal(after, sensor.low)) return fault("simulated: not a number", after);
  if (!parse_decimal(high, sensor.high)) return fault("simulated: not a number", high);
  if (sensor.high < sensor.low) return fault("simulated: the second is below the first", high);
  after = words.next();
  return {};
}

SettingsFault take_option(std::string_view option, std::string_view value, SensorSettings& sensor) {
  if (option == "every") {
    const bool good = parse_duration(value, sensor.every_ms) && sensor.every_ms >= kMinEveryMs &&
                      sensor.every_ms <= kMaxEveryMs;
    return good ? SettingsFault{} : fault("every: not a time of 100ms..1h", value);
  }
  Decimal* where = nullptr;
  if (option == "min") where = &sensor.min;
  if (option == "max") where = &sensor.max;
  if (option == "step") where = &sensor.step;
  if (option == "deadband") where = &sensor.deadband;
  if (where == nullptr) {
    return fault("sensor: no such word; every, min, max, step or deadband", option);
  }
  if (!parse_decimal(value, *where)) return fault("not a number", value);
  if (option == "min") sensor.bounded_below = true;
  if (option == "max") sensor.bounded_above = true;
  const bool magnitude = option == "step" || option == "deadband";
  return magnitude && *where < Decimal{} ? fault("below 0", value) : SettingsFault{};
}

SettingsFault take_sensor(Words& words, Settings& out) {
  const std::string_view name = words.next();
  if (!is_name(name)) return fault("sensor: not a name of [a-z0-9_-], 1 to 32 of them", name);
  for (const SensorSettings& other : out.all()) {
    if (other.name == name) return fault("sensor: there is one of that name", name);
  }
  if (out.sensor_count == kMaxSensors) return fault("more than 32 sensors", name);
  SensorSettings sensor;
  sensor.name = name;
  std::string_view option;
  const SettingsFault source = take_source(words, sensor, option);
  if (source.failed()) return source;
  for (; !option.empty(); option = words.next()) {
    const SettingsFault wrong = take_option(option, words.next(), sensor);
    if (wrong.failed()) return wrong;
  }
  if (sensor.bounded_below && sensor.bounded_above && sensor.max < sensor.min) {
    return fault("sensor: max is below min", name);
  }
  out.sensors[out.sensor_count++] = sensor;
  return {};
}

SettingsFault take_statement(std::string_view statement, Words& words, Settings& out) {
  if (statement == "sensor") return take_sensor(words, out);
  const std::string_view word = words.next();
  SettingsFault wrong;
  if (statement == "broker") {
    wrong = take_broker(word, out);
  } else if (statement == "keepalive") {
    wrong = take_keepalive(word, out);
  } else if (statement == "buffer") {
    wrong = take_buffer(word, out);
  } else if (statement == "metrics") {
    wrong = take_metrics(word, out);
  } else if (statement == "client") {
    out.client = word;
    if (word.empty() || word.size() > kMaxTopicBytes) wrong = fault("client: 1 to 64 bytes", word);
  } else if (statement == "user") {
    out.user = word;
    if (word.empty() || word.size() > kMaxTopicBytes) wrong = fault("user: 1 to 64 bytes", word);
  } else if (statement == "topic") {
    out.topic = word;
    if (!is_topic(word)) {
      wrong = fault("topic: 1 to 64 bytes, no + # or blank, no / at an end", word);
    }
  } else {
    return fault("no such statement; broker, client, topic, user, keepalive, buffer, metrics or "
                 "sensor",
                 statement);
  }
  if (wrong.failed()) return wrong;
  const std::string_view more = words.next();
  return more.empty() ? SettingsFault{} : fault("one word too many", more);
}

}  // namespace

bool parse_duration(std::string_view text, std::uint32_t& out_ms) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view unit = text.substr(digits);
  std::uint64_t scale = 0;
  if (unit == "ms") scale = 1;
  if (unit == "s") scale = 1000;
  if (unit == "m") scale = 60'000;
  if (unit == "h") scale = 3'600'000;
  std::uint64_t number = 0;
  if (scale == 0 || !parse_number(text.substr(0, digits), kDayMs, number)) return false;
  if (number * scale > kDayMs) return false;
  out_ms = static_cast<std::uint32_t>(number * scale);
  return true;
}

SettingsFault parse_settings(std::string_view text, std::string_view hostname, Settings& out) {
  out = Settings{};
  out.client = hostname;
  bool has_broker = false;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    Words words(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
    const std::string_view statement = words.next();
    if (statement.empty()) continue;
    SettingsFault wrong = take_statement(statement, words, out);
    if (wrong.failed()) {
      wrong.line = line;
      return wrong;
    }
    has_broker = has_broker || statement == "broker";
  }
  if (!has_broker) return fault("no broker: `broker ADDRESS[:PORT]` is missing", {});
  if (out.sensor_count == 0) return fault("no sensor: `sensor NAME from ...` is missing", {});
  return {};
}

}  // namespace images::sensor
