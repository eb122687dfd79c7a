// A message as the subscriber reads it: one JSON object.
#pragma once

#include <cstdint>
#include <string_view>

#include "images/runtime/line.h"
#include "images/sensor/buffer.h"
#include "images/sensor/settings.h"

namespace images::sensor {

/// What all messages of this guest share when they are written.
struct PayloadFacts {
  std::uint32_t boot = 0;    // another one: the sequence began anew
  std::uint64_t lost = 0;    // messages since the start
  std::uint64_t now_ms = 0;  // of the guest's clock; it knows no date, so an age is told
};

/// {"boot":"5f01c2d3","sequence":7,"age_ms":12,"count":10,"mean":21.5,"min":21.4,"max":21.6,
/// "lost":0} and "simulated":true where no real sensor measured it.
class Payload {
 public:
  Payload(const Message& message, const SensorSettings& sensor, const PayloadFacts& facts);
  std::string_view text() const { return line_.text(); }

 private:
  void add_number(std::string_view key, Decimal number);

  runtime::Line line_;
};

}  // namespace images::sensor
