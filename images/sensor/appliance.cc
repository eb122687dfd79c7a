#include "images/sensor/appliance.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "images/runtime/console.h"
#include "images/runtime/platform.h"
#include "images/sensor/broker.h"
#include "images/sensor/buffer.h"
#include "images/sensor/command.h"
#include "images/sensor/pages.h"
#include "images/sensor/readings.h"
#include "images/sensor/serial.h"
#include "images/sensor/simulated.h"
#include "images/sensor/window.h"

namespace images::sensor {
namespace {

using runtime::print;

constexpr std::string_view kPasswordPath = "/mqtt.password";
constexpr std::uint64_t kLossEveryMs = 60'000;  // of a line on the console

Settings settings;
std::array<Window, kMaxSensors> windows;
std::optional<Buffer> buffer;
LineReader reader;
std::uint32_t tick_ms = 1000;
std::uint64_t loss_told = 0;
std::uint64_t loss_told_ms = 0;

void keep(std::size_t sensor, const std::optional<Summary>& summary, std::uint64_t now_ms) {
  if (summary) buffer->push(static_cast<std::uint32_t>(sensor), *summary, now_ms);
}

void take_serial(std::span<const std::uint8_t> bytes) {
  reader.feed(bytes, [](std::string_view key, Decimal value) {
    for (std::size_t i = 0; i < settings.sensor_count; ++i) {
      const SensorSettings& sensor = settings.sensors[i];
      if (sensor.source == Source::serial && sensor.key == key) windows[i].take(value);
    }
  });
}

void tell_loss(std::uint64_t now_ms) {
  if (buffer->lost() == loss_told || now_ms < loss_told_ms) return;
  loss_told = buffer->lost();
  loss_told_ms = now_ms + kLossEveryMs;
  print("sensor: the buffer is full, ", loss_told, " messages lost since the start");
}

void tick(void*) {
  const std::uint64_t now_ms = runtime::platform::monotonic_ms();
  for (std::size_t i = 0; i < settings.sensor_count; ++i) {
    const SensorSettings& sensor = settings.sensors[i];
    if (sensor.source == Source::simulated) {
      windows[i].take(simulated_reading(sensor.low, sensor.high, now_ms));
    }
    keep(i, windows[i].close_if_due(now_ms), now_ms);
  }
  pump_broker();
  tell_loss(now_ms);
  runtime::call_after(tick_ms, tick, nullptr);
}

void choose_tick() {
  std::uint32_t shortest = kMaxEveryMs;
  for (std::size_t i = 0; i < settings.sensor_count; ++i) {
    shortest = std::min(shortest, windows[i].every_ms());
  }
  tick_ms = std::clamp<std::uint32_t>(shortest / 10, kMinEveryMs, 1000);
}

Counters count() {
  Counters now;
  for (const Window& window : windows) {
    now.readings += window.taken();
    now.rejected += window.rejected();
  }
  now.malformed = reader.malformed();
  now.broker = broker_counters();
  now.buffered = buffer->size();
  now.lost = buffer->lost();
  now.up_ms = runtime::platform::monotonic_ms();
  return now;
}

void tell_state() {
  const Counters now = count();
  runtime::Line line;
  const auto add = [&line](std::string_view key, std::uint64_t number) {
    line.add(key);
    line.add(number);
  };
  add("{\"readings\":", now.readings);
  add(",\"rejected\":", now.rejected);
  add(",\"malformed\":", now.malformed);
  add(",\"published\":", now.broker.published);
  add(",\"buffered\":", now.buffered);
  add(",\"lost\":", now.lost);
  add(",\"connects\":", now.broker.connects);
  add(",\"up_ms\":", now.up_ms);
  line.add('}');
  answer(line.text());
}

void obey(std::string_view text) {
  Command command;
  const char* wrong = parse_command(text, settings, command);
  const std::uint64_t now_ms = runtime::platform::monotonic_ms();
  if (wrong != nullptr) {
    runtime::Line line;
    line.add("error: ");
    line.add(wrong);
    answer(line.text());
    return;
  }
  switch (command.verb) {
    case Verb::state: tell_state(); return;
    case Verb::every:
      windows[command.sensor].set_every(command.every_ms, now_ms);
      choose_tick();
      break;
    case Verb::read:
      for (std::size_t i = 0; i < settings.sensor_count; ++i) {
        keep(i, windows[i].close(now_ms), now_ms);
      }
      break;
  }
  answer("ok");
  pump_broker();
}

bool read_settings(const runtime::Config& config) {
  const runtime::ConfigFile* file = config.find_file(kSettingsPath);
  if (file == nullptr) {
    print("sensor: none of the app's files is ", kSettingsPath);
    return false;
  }
  const SettingsFault fault = parse_settings(file->text, config.hostname(), settings);
  if (!fault.failed()) return true;
  runtime::print_fault("sensor", kSettingsPath, fault.line, fault.what, fault.word);
  return false;
}

}  // namespace

int set_up(const runtime::Config& config, runtime::Arena& memory) {
  if (!read_settings(config)) return 1;
  if (!config.args().empty()) {
    print("sensor: it takes no arguments; its settings are in ", kSettingsPath);
    return 1;
  }
  if (!config.interface(0).has_address) {
    print("sensor: the first interface has no address");
    return 1;
  }
  auto* room = memory.make_array<Message>(settings.buffer);
  if (room == nullptr) {
    print("sensor: a buffer of ", settings.buffer, " messages takes ",
          settings.buffer * sizeof(Message) / 1024, " KiB: give the app more memory");
    return 1;
  }
  buffer.emplace(std::span<Message>(room, settings.buffer));
  const std::uint64_t now_ms = runtime::platform::monotonic_ms();
  std::size_t simulated = 0;
  for (std::size_t i = 0; i < settings.sensor_count; ++i) {
    windows[i].configure(settings.sensors[i], now_ms);
    if (settings.sensors[i].source == Source::simulated) ++simulated;
  }
  const bool line = open_serial(config, take_serial);
  if (!line && simulated < settings.sensor_count) {
    print("sensor: a sensor is `from serial`, and the manifest gives no line: devices: "
          "[{name: serial, host: /dev/ttyUSB0, as: console}]");
    return 1;
  }
  if (settings.metrics != 0 && !serve_counters(settings.metrics, count, memory)) {
    print("sensor: port ", settings.metrics, " could not be opened");
    return 1;
  }
  choose_tick();
  print("sensor: ", settings.sensor_count, " sensors, ", simulated, " of them simulated; room for ",
        settings.buffer, " messages");
  const runtime::ConfigFile* secret = config.find_file(kPasswordPath);
  std::string_view password = secret == nullptr ? std::string_view() : secret->text;
  password = password.substr(0, password.find_first_of("\r\n"));
  connect_broker({&settings, &*buffer, password, obey});
  runtime::call_after(tick_ms, tick, nullptr);
  return 0;
}

}  // namespace images::sensor
