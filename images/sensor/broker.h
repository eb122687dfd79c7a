// The MQTT 3.1.1 side, over lwIP's TCP: connect with back-off, last will, messages at least once,
// commands. There is one broker per guest.
#pragma once

#include <cstdint>
#include <string_view>

#include "images/sensor/buffer.h"
#include "images/sensor/settings.h"

namespace images::sensor {

struct BrokerOptions {
  const Settings* settings = nullptr;
  Buffer* buffer = nullptr;
  std::string_view password;  // with settings->user; empty: none
  /// Called with each command, at most kMaxCommandBytes; what it needs to say goes to answer().
  void (*on_command)(std::string_view text) = nullptr;
};

/// Begin to connect. Topics: PREFIX/status (retained: "online", and "offline" as the last will),
/// PREFIX/SENSOR, PREFIX/command (in), PREFIX/reply. Called once; all of it outlives the guest.
void connect_broker(const BrokerOptions& options);

/// Send what the buffer holds, as far as the connection takes it. Cheap if nothing waits; to be
/// called whenever a message was kept, and once a second.
void pump_broker();

/// Publish the answer to a command: lost if the connection cannot take it now.
void answer(std::string_view text);

struct BrokerCounters {
  bool connected = false;
  std::uint64_t connects = 0;   // accepted ones
  std::uint64_t published = 0;  // acknowledged by the broker
};
BrokerCounters broker_counters();

}  // namespace images::sensor
