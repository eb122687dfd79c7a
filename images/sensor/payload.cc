#include "images/sensor/payload.h"

namespace images::sensor {

Payload::Payload(const Message& message, const SensorSettings& sensor, const PayloadFacts& facts) {
  line_.add("{\"boot\":\"");
  for (int shift = 28; shift >= 0; shift -= 4) {
    line_.add("0123456789abcdef"[(facts.boot >> shift) & 15]);
  }
  line_.add("\",\"sequence\":");
  line_.add(message.sequence);
  line_.add(",\"age_ms\":");
  line_.add(facts.now_ms - message.at_ms);
  line_.add(",\"count\":");
  line_.add(message.summary.count);
  add_number("mean", message.summary.mean);
  add_number("min", message.summary.min);
  add_number("max", message.summary.max);
  line_.add(",\"lost\":");
  line_.add(facts.lost);
  if (sensor.source == Source::simulated) line_.add(",\"simulated\":true");
  line_.add('}');
}

void Payload::add_number(std::string_view key, Decimal number) {
  line_.add(",\"");
  line_.add(key);
  line_.add("\":");
  add_decimal(line_, number);
}

}  // namespace images::sensor
